import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { authorizedKey } from "../../../../src/front/accounts/authorized-keys.ts";
import { parsePublicKey } from "../../../../src/front/accounts/public-key.ts";

function generate(type: string, bits?: number): string {
  const folder = mkdtempSync(join(tmpdir(), "reeve-key-"));
  const path = join(folder, "key");
  const size = bits === undefined ? [] : ["-b", String(bits)];
  execFileSync("ssh-keygen", ["-q", "-t", type, ...size, "-N", "", "-C", "ada@laptop", "-f", path]);
  const line = readFileSync(`${path}.pub`, "utf8");
  rmSync(folder, { recursive: true });
  return line;
}

const good = generate("ed25519");
const [type = "", body = ""] = good.split(" ");

describe("a public key", () => {
  it.each([
    ["ed25519", undefined],
    ["ecdsa", 256],
    ["ecdsa", 384],
    ["ecdsa", 521],
    ["rsa", 2048],
    ["rsa", 4096],
  ])(
    "of ssh-keygen -t %s -b %s is taken, with the fingerprint that ssh-keygen tells",
    (kind, bits) => {
      const line = generate(kind, bits);

      const key = parsePublicKey(line);

      const told = execFileSync("ssh-keygen", ["-lf", "-"], { input: line, encoding: "utf8" });
      expect(told.split(" ")[1]).toBe(key.fingerprint);
      expect(line).toBe(`${key.type} ${key.body} ada@laptop\n`);
      expect(key.comment).toBe("ada@laptop");
    },
  );

  it("S6: is taken with a carriage return at its end, and without a comment", () => {
    expect(parsePublicKey(good.replace("\n", "\r\n")).comment).toBe("ada@laptop");
    expect(parsePublicKey(`${type} ${body}`).comment).toBeNull();
  });

  const dss = Buffer.concat(
    ["ssh-dss", "p", "q", "g", "y"].map((field) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(field.length);
      return Buffer.concat([length, Buffer.from(field)]);
    }),
  ).toString("base64");

  it.each([
    ["nothing", ""],
    [
      "a private key",
      "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----",
    ],
    ["a line break and a second line", `${good}command="/bin/sh" ${good}`],
    ["a line break in the comment", `${type} ${body} a\nb`],
    ["a carriage return in the comment", `${type} ${body} a\rssh-rsa AAAA`],
    ["options before it", `command="/bin/sh" ${good}`],
    ["an option before it", `no-pty ${good}`],
    ["a tab for the blank", `${type}\t${body}`],
    ["DSA", `ssh-dss ${dss} ada`],
    ["RSA of 1024 bits", generate("rsa", 1024)],
    ["a certificate", `ssh-ed25519-cert-v01@openssh.com ${body}`],
    ["a type that is none", `ssh-nosuch ${body}`],
    ["a name that every object has", `constructor ${body}`],
    ["another type's body", `ssh-rsa ${body}`],
    ["half a body", `${type} ${body.slice(0, 40)}`],
    [
      "a body with something behind it",
      `${type} ${Buffer.concat([Buffer.from(body, "base64"), Buffer.alloc(4)]).toString("base64")}`,
    ],
    ["a body in another spelling", `${type} ${body}==`],
    ["a long one", `${type} ${body} ${"x".repeat(10_000)}`],
  ])("S6: is refused: %s", (_, line) => {
    expect(() => parsePublicKey(line)).toThrow(expect.objectContaining({ code: "KEY_INVALID" }));
  });

  it("S6: of RSA with 16384 bits is refused", () => {
    const field = (bytes: Buffer): Buffer => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return Buffer.concat([length, bytes]);
    };
    const modulus = Buffer.concat([Buffer.from([0]), Buffer.alloc(2048, 0xff)]);
    const parts = [Buffer.from("ssh-rsa"), Buffer.from([1, 0, 1]), modulus].map(field);

    expect(() => parsePublicKey(`ssh-rsa ${Buffer.concat(parts).toString("base64")}`)).toThrow(
      /16384 bits is too slow/,
    );
  });

  it("S6: is written with its type and body alone, and with no command but ours", () => {
    const key = parsePublicKey(`${type} ${body} x" command="/bin/sh`);

    const line = authorizedKey(key, [
      '/opt/it\'s "here"/hooks/ssh',
      "/run/c.sock",
      key.fingerprint,
    ]);

    expect(line).toBe(
      `restrict,command="exec '/opt/it'\\''s \\"here\\"/hooks/ssh' '/run/c.sock' '${key.fingerprint}'" ${type} ${body}\n`,
    );
  });
});
