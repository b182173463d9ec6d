import type { ChildProcess } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { setImmediate as turn } from "node:timers/promises";

/**
 * Has a library start a process, and rejects with the system's own error where that starts none. Where no file can be
 * opened any more (`EMFILE`, `ENFILE`) Node makes the child no streams; execa 9 and simple-git fail for want of them
 * before they listen to the child, whose error comes a moment later and would end us. (execa 10 listens, and wants
 * Node 22.)
 */
export async function starting<T>(start: () => T | Promise<T>): Promise<T> {
  let refusal: Error | undefined;
  // Called when a process is made, before its error: nodejs.org/api/diagnostics_channel.html, "child_process".
  const note = (message: unknown): void => {
    const { process } = message as { process: ChildProcess };
    process.once("error", (error) => (refusal ??= error));
  };
  subscribe("child_process", note);
  try {
    return await start();
  } catch (error) {
    await turn();
    throw refusal ?? error;
  } finally {
    unsubscribe("child_process", note);
  }
}
