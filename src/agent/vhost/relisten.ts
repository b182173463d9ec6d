import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readIfPresent, writeAtomically } from "../../system/files.ts";
import { changed, isUntouched } from "../../system/signature.ts";
import type { SiteFolders } from "./nginx.ts";

const listenLines = /(?:^[ \t]*listen [^;\n]*;\n)+/m;

/** A file of sites-available, by its name, and where its server block is to listen. */
export interface Listening {
  name: string;
  listen: string[];
}

/**
 * Has server blocks of before listen where they are to by now, before nginx is started with them: of addresses that
 * are no longer the machine's it would take none at all, and of all addresses it takes over one as long as a single
 * block names them. Resolves to the names of those that somebody edited and that do not listen there.
 */
export async function relisten(
  { available }: Pick<SiteFolders, "available">,
  blocks: Listening[],
): Promise<string[]> {
  const left: string[] = [];
  for (const { name, listen } of blocks) {
    const path = join(available, `${name}.conf`);
    const text = await readIfPresent(path);
    // What has no such lines is a location, and its host's block has them.
    if (text === undefined || !listenLines.test(text)) continue;
    const lines = listen.map((address) => `\tlisten ${address};\n`).join("");
    const wanted = changed(text, (former) => former.replace(listenLines, lines));
    if (wanted === text) continue;
    if (isUntouched(text)) await writeAtomically(path, wanted);
    else if (!saysAll(text, listen)) left.push(name);
  }
  return left;
}

function saysAll(text: string, addresses: string[]): boolean {
  const words = new Set(text.split(/[;\s]+/));
  return addresses.every((address) => words.has(address));
}

const sharedHost = /^(shared-host\..*)\.conf$/;

/** The files of hosts that previews share. */
export async function sharedHostsIn({
  available,
}: Pick<SiteFolders, "available">): Promise<string[]> {
  const names = await readdir(available);
  return names.flatMap((name) => sharedHost.exec(name)?.[1] ?? []);
}
