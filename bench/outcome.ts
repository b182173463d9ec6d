import type { Outcome } from "../test/support/server.ts";

/** What is measured after a push that was refused says nothing: it fails with what the push printed. */
export async function succeeds(work: Promise<Outcome>): Promise<void> {
  const { exitCode, output } = await work;
  if (exitCode !== 0) throw new Error(output);
}
