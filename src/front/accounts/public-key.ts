import { createHash } from "node:crypto";
import { UserError } from "../../errors.ts";
import { printable } from "../../system/lines.ts";
import type { PublicKey } from "../../names/account.ts";

/** How many parts follow the type in a key's body (RFC 4253, 5656, 8709; PROTOCOL.u2f of OpenSSH). */
const parts: Record<string, number> = {
  "ssh-ed25519": 1,
  "ssh-rsa": 2,
  "ecdsa-sha2-nistp256": 2,
  "ecdsa-sha2-nistp384": 2,
  "ecdsa-sha2-nistp521": 2,
  "sk-ssh-ed25519@openssh.com": 2,
  "sk-ecdsa-sha2-nistp256@openssh.com": 3,
};

const line = /^([a-z0-9@.-]+) +([A-Za-z0-9+/]+={0,2})(?: (.*))?$/;
const longest = 8192;

/**
 * The line of a `.pub` file, taken apart: what is written elsewhere later is put together from these parts,
 * so that options before a key, or a line break in its comment, lead nowhere.
 */
export function parsePublicKey(given: string): PublicKey {
  const words = given.trim();
  if (words.length > longest) throw invalid("it is too long");
  const [, type = "", body = "", comment = ""] = line.exec(words) ?? [];
  if (type === "") throw invalid("it is not one line: type, key, comment");
  if (type === "ssh-dss") throw invalid("DSA is too weak");
  if (type.includes("-cert-")) throw invalid("it is a certificate, not a key");
  if (!Object.hasOwn(parts, type)) throw invalid(`${type} is a type that reeve does not know`);

  const bytes = Buffer.from(body, "base64");
  const [inner, ...rest] = fields(bytes);
  if (bytes.toString("base64") !== body || inner?.toString("latin1") !== type)
    throw invalid("its two halves do not belong together");
  if (rest.length !== parts[type]) throw invalid("it is not complete");
  expectStrength(type, rest);
  return {
    fingerprint: `SHA256:${createHash("sha256").update(bytes).digest("base64").replaceAll("=", "")}`,
    type,
    body,
    comment: printable(comment).trim().slice(0, 100) || null,
  };
}

function expectStrength(type: string, [first, second]: Buffer[]): void {
  if (type === "ssh-rsa") {
    const bits = bitsOf(second);
    if (bits < 2048 || bits > 8192)
      throw invalid(`an RSA key of ${bits} bits is too ${bits < 2048 ? "weak" : "slow"}`);
  }
  if (type.endsWith("ed25519") && first?.length !== 32) throw invalid("it is not complete");
}

/** Strings with their length before them; none where they do not add up. */
function fields(bytes: Buffer): Buffer[] {
  const found: Buffer[] = [];
  let position = 0;
  while (position + 4 <= bytes.length) {
    const end = position + 4 + bytes.readUInt32BE(position);
    if (end > bytes.length) return [];
    found.push(bytes.subarray(position + 4, end));
    position = end;
  }
  return position === bytes.length ? found : [];
}

function bitsOf(number: Buffer | undefined): number {
  const digits = (number?.toString("hex") ?? "").replace(/^0+/, "");
  return digits === "" ? 0 : BigInt(`0x${digits}`).toString(2).length;
}

function invalid(reason: string): UserError {
  return new UserError("KEY_INVALID", `this is no public key that reeve takes: ${reason}`);
}
