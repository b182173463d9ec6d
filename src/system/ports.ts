import { existsSync, readFileSync } from "node:fs";
import { holdersOfSocket, nameOf } from "./processes.ts";

const tables = ["/proc/net/tcp", "/proc/net/tcp6"];
const listening = "0A";
const wildcards = ["0.0.0.0", "::"];

interface Listener {
  address: string;
  inode: string;
}

/** Whether some process of the machine listens at this TCP port, at whatever address (proc_pid_net(5)). */
export function isPortTaken(port: number): boolean {
  return listenersAt(port).length > 0;
}

/** Who keeps others from an address and port, in words; a process of another user's shows its sockets to root alone. */
export async function whoListens(port: number, address: string): Promise<string> {
  const all = listenersAt(port);
  const own =
    all.find((listener) => listener.address === address) ??
    all.find((listener) => wildcards.includes(listener.address)) ??
    all[0];
  const pid = own && (await holdersOfSocket(own.inode))[0];
  return pid === undefined
    ? "somebody else (with root, ss -ltnp says who)"
    : `${await nameOf(pid)} (process ${pid})`;
}

/** An address in its one shortest form: an IPv6 address has many. */
export function shortestForm(address: string): string {
  return address.includes(":") ? new URL(`http://[${address}]/`).hostname.slice(1, -1) : address;
}

function listenersAt(port: number): Listener[] {
  const own = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return tables
    .filter((table) => existsSync(table))
    .flatMap((table) => readFileSync(table, "utf8").split("\n"))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = "", , state]) => state === listening && local.endsWith(own))
    .map((fields) => ({
      address: addressOf(fields[1]?.slice(0, -own.length) ?? ""),
      inode: fields[9] ?? "",
    }));
}

/** The kernel writes an address as numbers of four bytes, as the machine holds them: the last byte first. */
function addressOf(words: string): string {
  const bytes = Buffer.from(words, "hex").swap32();
  return bytes.length === 4
    ? bytes.join(".")
    : shortestForm(bytes.toString("hex").replace(/(.{4})(?!$)/g, "$1:"));
}
