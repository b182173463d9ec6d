import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";
import { execa } from "execa";
import { absentCommit } from "../../src/names/names.ts";
import { packetLine } from "../hostile/raw.ts";
import { basic } from "./people.ts";
import type { TestServer } from "./server.ts";

/** A push of this pack that makes a ref, whatever the ref's value leads to. Resolves to what the server says. */
export async function pushPack(
  server: TestServer,
  pack: Buffer,
  { by, ...moved }: Moved & { by?: { name: string; token: string } | undefined },
): Promise<string> {
  const credentials = by && `${by.name}:${by.token}`;
  return (await server.receivePack("demo", pushOf(pack, moved), credentials)).body;
}

interface Moved {
  value: string;
  ref?: string | undefined;
}

/** What such a push is on the wire. */
export function pushOf(pack: Buffer, { value, ref = "refs/heads/back" }: Moved): Buffer {
  const line = packetLine(`${absentCommit} ${value} ${ref}\0 report-status side-band-64k`);
  return Buffer.concat([Buffer.from(`${line}0000`), pack]);
}

/** The head of a request that begins a push over HTTP, of so many bytes. */
export function pushRequest(person: { name: string; token: string }, length: number): string {
  const lines = [
    ...["POST /demo.git/git-receive-pack HTTP/1.1", "Host: git.localhost"],
    ...[`Authorization: ${basic(person)}`, `Content-Length: ${length}`],
    "Content-Type: application/x-git-receive-pack-request",
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** A pack of exactly these objects, and none that they lead to. */
export async function packOf(folder: string, ids: string[]): Promise<Buffer> {
  const input = ids.map((id) => `${id}\n`).join("");
  // One pack in 256 ends with the byte of a newline.
  const options = { cwd: folder, encoding: "buffer", stripFinalNewline: false, input } as const;
  return Buffer.from((await execa("git", ["pack-objects", "--stdout", "--quiet"], options)).stdout);
}

interface Packed {
  type: "commit" | "tree" | "blob";
  bytes: Buffer;
}

/** A pack of these objects, and of one that is another file, which is not in it, with a few letters more. */
export function thinPack(objects: Packed[], base: Buffer, more: string): Buffer {
  const length = base.length + more.length;
  const copy = Buffer.from([0xb0, base.length & 0xff, base.length >> 8]);
  const insert = Buffer.concat([Buffer.of(more.length), Buffer.from(more)]);
  const delta = Buffer.concat([varint(base.length), varint(length), copy, insert]);
  const kinds = { commit: 1, tree: 2, blob };
  const body = Buffer.concat([
    Buffer.from("PACK"),
    ...[count(2), count(objects.length + 1)],
    ...objects.flatMap(({ type, bytes }) => [head(kinds[type], bytes.length), deflateSync(bytes)]),
    ...[head(refDelta, delta.length), idOf("blob", base), deflateSync(delta)],
  ]);
  return Buffer.concat([body, createHash("sha1").update(body).digest()]);
}

/** A pack of as many files of four bytes, to which nothing leads. It is 16 bytes long for each. */
export function packOfMany(objects: number): Buffer {
  const body = Buffer.alloc(12 + 16 * objects);
  body.write("PACK");
  body.writeUInt32BE(2, 4);
  body.writeUInt32BE(objects, 8);
  for (let at = 12; at < body.length; at += 16) {
    // Its type and length, and what zlib makes of so little: a stored block of four bytes, and their sum (RFC 1950).
    body.set([0x34, 0x78, 0x01, 0x01, 4, 0, 0xfb, 0xff], at);
    body.writeUInt32BE(at, at + 8);
    let [sum, sums] = [1, 0];
    for (const byte of body.subarray(at + 8, at + 12)) sums += sum += byte;
    body.writeUInt16BE(sums, at + 12);
    body.writeUInt16BE(sum, at + 14);
  }
  return Buffer.concat([body, createHash("sha1").update(body).digest()]);
}

/** Bytes that one instruction of a delta can copy (gitformat-pack(5)). */
const longestCopy = 0xff_ff_ff;

/**
 * The same pack with one object more, which stands for so many times 16 MiB: a delta that copies all of another
 * one again and again. It is a few kilobytes long.
 */
export function withDeltaBomb(pack: Buffer, times: number): Buffer {
  const base = Buffer.alloc(longestCopy);
  const copies = Buffer.concat(
    Array.from({ length: times }, () => Buffer.from([0xf0, 0xff, 0xff, 0xff])),
  );
  const delta = Buffer.concat([varint(base.length), varint(base.length * times), copies]);
  const body = Buffer.concat([
    pack.subarray(0, 8),
    count(pack.readUInt32BE(8) + 2),
    pack.subarray(12, -20),
    head(blob, base.length),
    deflateSync(base, { level: 9 }),
    head(refDelta, delta.length),
    idOf("blob", base),
    deflateSync(delta, { level: 9 }),
  ]);
  return Buffer.concat([body, createHash("sha1").update(body).digest()]);
}

const blob = 3;
const refDelta = 7;

function idOf(type: string, bytes: Buffer): Buffer {
  return createHash("sha1").update(`${type} ${bytes.length}\0`).update(bytes).digest();
}

function count(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return bytes;
}

/** Type and length of an object: four bits of it first, then seven at a time. */
function head(type: number, length: number): Buffer {
  const first = (type << 4) | (length % 16);
  const rest = Math.floor(length / 16);
  return rest === 0 ? Buffer.of(first) : Buffer.concat([Buffer.of(first | 0x80), varint(rest)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  do {
    bytes.push((left % 128) | (left >= 128 ? 0x80 : 0));
    left = Math.floor(left / 128);
  } while (left > 0);
  return Buffer.from(bytes);
}
