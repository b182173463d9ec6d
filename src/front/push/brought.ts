import { open, readdir, readFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { isPresent, readAt } from "../../system/files.ts";

/** What a push leads to and has not sent, by git's quarantine folder. */
export interface Brought {
  /** Those that the new refs lead to. */
  named: Set<string>;
  /** What its pack left out and git added, because deltas in it were made against them (git-index-pack(1), --fix-thin). */
  bases: string[];
}

/** Whether git has missed something that the new refs lead to. */
export function isBroken(quarantine: string): Promise<boolean> {
  return isPresent(join(quarantine, ".broken"));
}

/** `most`: of what is named no more than so many and one are told. */
export async function readBrought(quarantine: string, most: number): Promise<Brought> {
  const files = await readdir(quarantine, { recursive: true });
  const loose = new Set(
    files
      .filter((name) => /^[0-9a-f]{2}\/[0-9a-f]{38}$/.test(name))
      .map((name) => name.replace("/", "")),
  );
  const [index, ...others] = files.filter((name) => name.endsWith(".idx"));
  if (others.length > 0) throw new Error("git keeps a push in one pack");
  const pack = index === undefined ? undefined : await PackIndex.open(join(quarantine, index));
  try {
    const sent = Number(await readFile(join(quarantine, ".count"), "utf8").catch(() => "0"));
    // A few objects are unpacked one by one, and have no pack to which git could add any.
    const bases = new Set(await pack?.after(sent));
    const named = new Set<string>();
    for await (const part of pack?.parts() ?? [noPack])
      await eachNew(quarantine, (id) => {
        if (!part.covers(id)) return true;
        const text = (): string => id.toString("latin1");
        const isSent = part.has(id) ? bases.size === 0 || !bases.has(text()) : loose.has(text());
        if (!isSent) named.add(text());
        return named.size <= most;
      });
    return { named, bases: [...bases] };
  } finally {
    await pack?.close();
  }
}

const idLength = 40;
/** Bytes of a line that git has written: an id. */
const lineLength = idLength + 1;
/** So many are looked at before anybody else has a turn. */
const linesAtOnce = 10_000;

/** What the new refs lead to, beyond what git has shown, until somebody has enough. */
async function eachNew(quarantine: string, work: (id: Buffer) => boolean): Promise<void> {
  const file = await open(join(quarantine, ".new"));
  try {
    const buffer = Buffer.alloc(lineLength * linesAtOnce);
    let at = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) return;
      if (bytesRead % lineLength !== 0) throw new Error("git wrote no list of ids");
      for (let line = 0; line < bytesRead; line += lineLength)
        if (!work(buffer.subarray(line, line + idLength))) return;
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
}

/** Of all ids there can be, a stretch, and which of those in it a pack has. */
interface Part {
  covers: (id: Buffer) => boolean;
  has: (id: Buffer) => boolean;
}

const noPack: Part = { covers: () => true, has: () => false };

const nameLength = 20;
const offsetLength = 4;
/** Bytes before the names: the table of how many begin with which byte, and what is before that. */
const headLength = 8 + 4 * 256;
/** Names, or offsets, that are in memory at a time. */
const mostAtOnce = 1_000_000;

/**
 * The index of a pack (gitformat-pack(5), version 2). A few megabytes may hold millions of objects: it is read in parts,
 * so that it fills no memory, and keeps nobody waiting.
 */
class PackIndex {
  readonly #file: FileHandle;
  readonly #count: number;
  #farOffsets: Buffer | undefined;

  private constructor(file: FileHandle, count: number) {
    this.#file = file;
    this.#count = count;
  }

  static async open(path: string): Promise<PackIndex> {
    const file = await open(path);
    const head = await readAt(file, 0, headLength);
    const isKnown = head.length === headLength && head.readUInt32BE(0) === 0xff_74_4f_63;
    if (isKnown && head.readUInt32BE(4) === 2)
      return new PackIndex(file, head.readUInt32BE(headLength - 4));
    await file.close();
    throw new Error("git wrote no index of version 2");
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async *parts(): AsyncGenerator<Part> {
    for (let first = 0; first === 0 || first < this.#count; first += mostAtOnce) {
      const end = Math.min(first + mostAtOnce, this.#count);
      const sorted = await this.#names(first, end);
      const [from] = first === 0 ? [] : [hexOf(sorted, 0)];
      const [to] = end === this.#count ? [] : [hexOf(await this.#names(end, end + 1), 0)];
      yield {
        covers: (id) => (!from || id.compare(from) >= 0) && (!to || id.compare(to) < 0),
        has: (id) => isAmong(sorted, Buffer.from(id.toString("latin1"), "hex")),
      };
    }
  }

  /** The objects that come after so many in the pack. */
  async after(count: number): Promise<string[]> {
    const wanted = this.#count - count;
    if (wanted <= 0) return [];
    let [least, most] = [0, 0];
    await this.#eachOffset((offset) => (most = Math.max(most, offset)));
    while (least < most) {
      const middle = Math.ceil((least + most) / 2);
      let found = 0;
      await this.#eachOffset((offset) => (found += Number(offset >= middle)));
      if (found >= wanted) least = middle;
      else most = middle - 1;
    }
    const places: number[] = [];
    await this.#eachOffset((offset, place) => {
      if (offset >= least) places.push(place);
    });
    const after: string[] = [];
    for (const place of places)
      after.push(hexOf(await this.#names(place, place + 1), 0).toString("latin1"));
    return after;
  }

  #names(first: number, end: number): Promise<Buffer> {
    return readAt(this.#file, headLength + nameLength * first, nameLength * (end - first));
  }

  /** Where each object is in the pack, in the order of their names. */
  async #eachOffset(work: (offset: number, place: number) => void): Promise<void> {
    // Behind the names comes a checksum of each.
    const table = headLength + (nameLength + 4) * this.#count;
    for (let first = 0; first < this.#count; first += mostAtOnce) {
      const length = offsetLength * Math.min(mostAtOnce, this.#count - first);
      const offsets = await readAt(this.#file, table + offsetLength * first, length);
      for (let at = 0; at < length; at += offsetLength) {
        const offset = offsets.readUInt32BE(at);
        const place = first + at / offsetLength;
        // Of a pack of more than 2 GiB some stand in a table of their own.
        work(
          offset < 0x80_00_00_00 ? offset : await this.#farOffset(offset - 0x80_00_00_00),
          place,
        );
      }
    }
  }

  async #farOffset(place: number): Promise<number> {
    const table = headLength + (nameLength + 4 + offsetLength) * this.#count;
    this.#farOffsets ??= await readAt(this.#file, table, (await this.#file.stat()).size - table);
    return Number(this.#farOffsets.readBigUInt64BE(8 * place));
  }
}

function hexOf(names: Buffer, place: number): Buffer {
  return Buffer.from(names.toString("hex", nameLength * place, nameLength * (place + 1)), "latin1");
}

function isAmong(sorted: Buffer, wanted: Buffer): boolean {
  let [low, high] = [0, sorted.length / nameLength];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = nameLength * middle;
    const order = sorted.compare(wanted, 0, nameLength, at, at + nameLength);
    if (order === 0) return true;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return false;
}
