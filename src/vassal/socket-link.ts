import { link, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { kindOf } from "../host/files.ts";

/**
 * nginx opens an instance's socket path anew for every connection and follows links, so one rename moves
 * the traffic (docs/architecture.md). In the steady state the path is the socket that the vassal bound
 * itself; while an understudy carries the traffic it is a link to the understudy's socket, and the
 * vassal's own is held aside by a hard link.
 */
export function asideOf(socket: string): string {
  return socket.replace(/\.sock$/, ".vassal.sock");
}

/** Leads the traffic to an understudy's socket, in the same folder. */
export async function leadTo(socket: string, understudy: string): Promise<void> {
  await holdAside(socket);
  const temporary = join(dirname(socket), `.${basename(socket)}.tmp`);
  await rm(temporary, { force: true });
  await symlink(basename(understudy), temporary);
  await rename(temporary, socket);
}

/** Leads the traffic back to the vassal's own socket. */
export async function leadBack(socket: string): Promise<void> {
  if ((await kindOf(socket)) !== "link") return;
  await rename(asideOf(socket), socket);
}

/** Keeps the socket that the vassal bound under a second name, from which it can be put back. */
export async function holdAside(socket: string): Promise<void> {
  if ((await kindOf(socket)) !== "socket") return;
  const aside = asideOf(socket);
  await rm(aside, { force: true });
  await link(socket, aside);
}
