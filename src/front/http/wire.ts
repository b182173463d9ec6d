import { BlockList, isIP } from "node:net";
import { UserError } from "../../errors.ts";

/** How a request came here, in nginx's words: what the client says of it is overwritten. */
export interface Wire {
  /** The visitor's, also where a trusted proxy is in between. */
  address: string | undefined;
  /** `https` only by the word of a trusted proxy. */
  scheme: string | undefined;
  hasCredentials: boolean;
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whoever is on the way reads the token of a request over plain HTTP, and takes its place: `PLAIN_HTTP`. */
export function expectUnread(
  { address = "", scheme, hasCredentials }: Wire,
  { plainHttp, url }: { plainHttp: boolean; url: string },
): void {
  if (plainHttp || scheme === "https" || isLoopback(address)) return;
  const problem = `plain HTTP, from ${address || "an unknown address"}: whoever is on the way could read the token`;
  const better = url.startsWith("https:")
    ? `Push to ${url.replace(/\/$/, "")}/git/APP.git`
    : "Push over SSH, or have the administrator put TLS in front";
  const leaked = hasCredentials
    ? "The token that was sent is to be replaced: reeve tokens create. "
    : "";
  throw new UserError("PLAIN_HTTP", problem, {
    hint: `${leaked}${better}. In a network that nobody else reads: plain_http = true in etc/server.toml.`,
  });
}

function isLoopback(address: string): boolean {
  const kind = isIP(address);
  return kind !== 0 && loopback.check(address, kind === 4 ? "ipv4" : "ipv6");
}
