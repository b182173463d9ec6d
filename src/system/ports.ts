import { existsSync, readFileSync } from "node:fs";

const tables = ["/proc/net/tcp", "/proc/net/tcp6"];
const listening = "0A";

/** Whether some process of the machine listens at this TCP port, at whatever address (proc_pid_net(5)). */
export function isPortTaken(port: number): boolean {
  const own = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return tables
    .filter((table) => existsSync(table))
    .flatMap((table) => readFileSync(table, "utf8").split("\n"))
    .map((line) => line.trim().split(/\s+/))
    .some(([, local = "", , state]) => state === listening && local.endsWith(own));
}
