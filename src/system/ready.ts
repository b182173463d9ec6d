import type { System } from "./system.ts";

/** Tells systemd that this process does its work from now on, where systemd waits for that (sd_notify(3)). */
export async function tellReady(system: System, socket: string | undefined): Promise<void> {
  if (socket === undefined) return;
  const env = { NOTIFY_SOCKET: socket };
  await system.run({ file: "systemd-notify", args: ["--ready"], env, deadline: 10_000 });
}
