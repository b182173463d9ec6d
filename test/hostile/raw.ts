import { connect, type Socket } from "node:net";
import { createGzip } from "node:zlib";
import { once } from "node:events";

/** Bytes on a connection, and what comes back: for what no client of HTTP would send. */
export interface Raw {
  /** Everything that was answered until the end, until `within` was over, or until `atMost` bytes had come. */
  text: string;
  /** 0: none. */
  status: number;
}

type Target = { port: number; host: string } | { path: string };

export async function sendRaw(
  target: Target,
  pieces: (string | Buffer)[],
  {
    within = 5000,
    every = 0,
    atMost = Infinity,
  }: { within?: number; every?: number; atMost?: number } = {},
): Promise<Raw> {
  const socket = connect(target);
  const chunks: Buffer[] = [];
  let length = 0;
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= atMost) socket.destroy();
  });
  socket.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const timer = setTimeout(() => socket.destroy(), within);
  for (const piece of pieces) {
    await written(socket, piece);
    if (every > 0) await new Promise((resolve) => setTimeout(resolve, every));
  }
  await closed;
  clearTimeout(timer);
  const text = Buffer.concat(chunks).toString("latin1");
  return { text, status: Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 0) };
}

async function written(socket: Socket, piece: string | Buffer): Promise<void> {
  if (socket.destroyed) return;
  const hasRoom = socket.write(piece);
  if (!hasRoom)
    await Promise.race([once(socket, "drain"), once(socket, "close")]).catch(() => undefined);
}

/** A request's head, to the letter. */
export function head(method: string, path: string, headers: (string | undefined)[]): string {
  return [
    `${method} ${path} HTTP/1.1`,
    ...headers.filter((line) => line !== undefined),
    "",
    "",
  ].join("\r\n");
}

/** A pkt-line (gitprotocol-common(5)). */
export function packetLine(text: string): string {
  return (Buffer.byteLength(text) + 4).toString(16).padStart(4, "0") + text;
}

/** gzip that unfolds to so many times 100 MB: members one after the other are one stream (RFC 1952). */
export async function gzipBomb(times: number): Promise<Buffer> {
  const gzip = createGzip({ level: 9 });
  const packed: Buffer[] = [];
  gzip.on("data", (chunk: Buffer) => packed.push(chunk));
  const megabyte = Buffer.alloc(1024 * 1024);
  for (let written = 0; written < 100; written++)
    if (!gzip.write(megabyte)) await once(gzip, "drain");
  gzip.end();
  await once(gzip, "end");
  return Buffer.concat(Array.from({ length: times }, () => Buffer.concat(packed)));
}
