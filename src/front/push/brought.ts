import { open, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isPresent } from "../../system/files.ts";

/** What a push has sent, by git's quarantine folder. */
export interface Brought {
  has: (id: Buffer) => boolean;
  /** What its pack left out and git added, because deltas in it were made against them (git-index-pack(1), --fix-thin). */
  bases: string[];
}

/** Whether git has missed something that the new refs lead to. */
export function isBroken(quarantine: string): Promise<boolean> {
  return isPresent(join(quarantine, ".broken"));
}

export async function readBrought(quarantine: string): Promise<Brought> {
  const names = await readdir(quarantine, { recursive: true });
  const loose = new Set(
    names
      .filter((name) => /^[0-9a-f]{2}\/[0-9a-f]{38}$/.test(name))
      .map((name) => name.replace("/", "")),
  );
  const packs: PackIndex[] = [];
  for (const name of names.filter((one) => one.endsWith(".idx")))
    packs.push(new PackIndex(await readFile(join(quarantine, name))));
  const bases = new Set(await addedTo(packs, quarantine));
  return {
    has: (id) => {
      if (loose.size > 0 && loose.has(id.toString("latin1"))) return true;
      if (packs.length === 0) return false;
      return packs.some((pack) => pack.has(id)) && !bases.has(id.toString("latin1"));
    },
    bases: [...bases],
  };
}

/** A few objects are unpacked one by one, and have no pack to which git could add any. */
async function addedTo(packs: PackIndex[], quarantine: string): Promise<string[]> {
  if (packs.length === 0) return [];
  const sent = Number(await readFile(join(quarantine, ".count"), "utf8").catch(() => "0"));
  return packs.flatMap((pack) => pack.after(sent));
}

const idLength = 40;
/** Bytes of a line that git has written: an id. */
const lineLength = idLength + 1;
const linesAtOnce = 25_000;

/** Those that the new refs lead to, and that are not of the push; no more than `most` and one. */
export async function readNamed(
  quarantine: string,
  brought: Brought,
  most: number,
): Promise<Set<string>> {
  const named = new Set<string>();
  const file = await open(join(quarantine, ".new"));
  try {
    const buffer = Buffer.alloc(lineLength * linesAtOnce);
    let at = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0 || named.size > most) return named;
      if (bytesRead % lineLength !== 0) throw new Error("git wrote no list of ids");
      for (let line = 0; line < bytesRead && named.size <= most; line += lineLength) {
        const id = buffer.subarray(line, line + idLength);
        if (!brought.has(id)) named.add(id.toString("latin1"));
      }
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
}

/** The index of a pack (gitformat-pack(5), version 2). */
class PackIndex {
  readonly #bytes: Buffer;
  readonly #count: number;

  constructor(bytes: Buffer) {
    if (bytes.readUInt32BE(0) !== 0xff_74_4f_63 || bytes.readUInt32BE(4) !== 2)
      throw new Error("git wrote no index of version 2");
    this.#bytes = bytes;
    this.#count = bytes.readUInt32BE(fanout + 4 * 255);
  }

  has(id: Buffer): boolean {
    const wanted = Buffer.from(id.toString("latin1"), "hex");
    const first = wanted[0] ?? 0;
    let low = first === 0 ? 0 : this.#bytes.readUInt32BE(fanout + 4 * (first - 1));
    let high = this.#bytes.readUInt32BE(fanout + 4 * first);
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = names + 20 * middle;
      const order = this.#bytes.compare(wanted, 0, 20, at, at + 20);
      if (order === 0) return true;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return false;
  }

  /** The objects that come after so many in the pack. */
  after(count: number): string[] {
    if (this.#count <= count) return [];
    const offsets = new Float64Array(this.#count).map((_, index) => this.#offset(index));
    const first = offsets.toSorted()[count] ?? Infinity;
    const after: string[] = [];
    for (const [index, offset] of offsets.entries()) {
      const at = names + 20 * index;
      if (offset >= first) after.push(this.#bytes.toString("hex", at, at + 20));
    }
    return after;
  }

  /** Of a pack of more than 2 GiB some stand in a table of their own. */
  #offset(index: number): number {
    const offsets = names + 24 * this.#count;
    const offset = this.#bytes.readUInt32BE(offsets + 4 * index);
    if (offset < 0x80_00_00_00) return offset;
    const at = offsets + 4 * this.#count + 8 * (offset - 0x80_00_00_00);
    return Number(this.#bytes.readBigUInt64BE(at));
  }
}

/** Bytes before the table of how many names begin with which byte, and before the names. */
const fanout = 8;
const names = fanout + 4 * 256;
