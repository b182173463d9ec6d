import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readBrought } from "../../../../src/front/push/brought.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";

/** What git leaves in a quarantine: an index of so many objects, and the list of what the new refs lead to. */
function quarantineOf(
  count: number,
  { added, leadsTo, loose = [] }: { added: number[]; leadsTo: string[]; loose?: string[] },
): string {
  const folder = temporaryFolder();
  const [names, near, far] = [Buffer.alloc(20 * count), Buffer.alloc(4 * count), [] as bigint[]];
  for (let place = 0; place < count; place += 1) {
    names.writeUInt32BE(numberOf(place), 20 * place);
    near.writeUInt32BE(12 + ((place * 7919) % count), 4 * place);
  }
  for (const [order, place] of added.entries()) {
    near.writeUInt32BE(0x80_00_00_00 + order, 4 * place);
    far.push(2n ** 31n + BigInt(order));
  }
  const table = Buffer.alloc(8 + 4 * 256);
  table.writeUInt32BE(0xff_74_4f_63, 0);
  table.writeUInt32BE(2, 4);
  table.writeUInt32BE(count, 8 + 4 * 255);
  const farTable = Buffer.alloc(8 * far.length);
  for (const [order, offset] of far.entries()) farTable.writeBigUInt64BE(offset, 8 * order);
  mkdirSync(join(folder, "pack"));
  const parts = [table, names, Buffer.alloc(4 * count), near, farTable, Buffer.alloc(40)];
  writeFileSync(join(folder, "pack/pack-1.idx"), Buffer.concat(parts));
  writeFileSync(join(folder, ".count"), `${count - added.length}\n`);
  writeFileSync(join(folder, ".new"), leadsTo.map((id) => `${id}\n`).join(""));
  for (const id of loose) {
    mkdirSync(join(folder, id.slice(0, 2)), { recursive: true });
    writeFileSync(join(folder, id.slice(0, 2), id.slice(2)), "");
  }
  return folder;
}

const numberOf = (place: number): number => 3 * place + 1;
const hex = (number: number): string => number.toString(16).padStart(8, "0").padEnd(40, "0");
const idOf = (place: number): string => hex(numberOf(place));

describe("what a push has brought", () => {
  // More than are in memory at a time, so that some lie at the edges of two parts.
  it.each([1, 40, 1_200_000])("is told from what it only names, of %i objects", async (count) => {
    const last = count - 1;
    const places = [0, 999_999, 1_000_000, 1_000_001, last];
    const sent = places.filter((place) => place < count).map(idOf);
    const absent = [0, numberOf(last) + 1, 3 * 1_000_000, 3 * 1_000_000 + 2].map(hex);
    const loose = [hex(5), hex(3 * 1_000_000 - 1)];
    const folder = quarantineOf(count, {
      added: [],
      leadsTo: [...sent, ...absent, ...loose],
      loose,
    });

    const { named, bases } = await readBrought(folder, 100);

    expect([...named].sort()).toEqual([...new Set(absent)].sort());
    expect(bases).toEqual([]);
  });

  it("is not what git has added behind it, because deltas were made against it", async () => {
    const added = [7, 1_100_000, 3];
    const folder = quarantineOf(1_200_000, { added, leadsTo: [3, 4, 7].map(idOf) });

    const { named, bases } = await readBrought(folder, 100);

    expect(bases.sort()).toEqual(added.map(idOf).sort());
    expect([...named].sort()).toEqual([3, 7].map(idOf));
  });

  it("is told of no more names than anybody wants", async () => {
    const many = Array.from({ length: 50 }, (_, number) => hex(3 * number));
    const folder = quarantineOf(10, { added: [], leadsTo: many });

    expect((await readBrought(folder, 20)).named.size).toBe(21);
  });

  it("is nothing that git has written otherwise", async () => {
    const folder = quarantineOf(10, { added: [], leadsTo: [idOf(1).slice(1)] });
    await expect(readBrought(folder, 20)).rejects.toThrow("no list of ids");

    writeFileSync(join(folder, "pack/pack-1.idx"), "short");
    await expect(readBrought(folder, 20)).rejects.toThrow("no index of version 2");
  });
});
