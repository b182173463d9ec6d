import { quoted } from "../../names/names.ts";
import { UserError } from "../../errors.ts";
import type { Box } from "../../system/box.ts";
import type { GitContext } from "../../system/git.ts";
import { CommandFailed, type System } from "../../system/system.ts";
import { printable } from "../../system/lines.ts";
import { listModules } from "./release-commands.ts";

/** Who looks into a commit, and within which limits. */
export interface Looking {
  system: System;
  git: GitContext;
  box: Box;
  signal?: AbortSignal | undefined;
}

/** What `.gitmodules` says of a folder. */
export interface Module {
  name: string;
  address: string;
}

/** By their folders. git itself reads the file, in the box; what it cannot read names nothing. */
export async function readModules(
  { system, git, box, signal }: Looking,
  commit: string,
): Promise<Map<string, Module>> {
  try {
    return parseModules(await system.run(listModules(git, box, commit), { signal }));
  } catch (error) {
    if (error instanceof CommandFailed) return new Map();
    throw error;
  }
}

/** `submodule.NAME.path` and the like, a line end, and the value, each closed by a zero byte. */
export function parseModules(output: string): Map<string, Module> {
  const found = new Map<string, { path?: string; url?: string }>();
  for (const entry of output.split("\0")) {
    const end = entry.indexOf("\n");
    const dot = entry.lastIndexOf(".", end);
    if (end < 0 || dot < 0) continue;
    const name = entry.slice(entry.indexOf(".") + 1, dot);
    const module = found.get(name) ?? {};
    found.set(name, { ...module, [entry.slice(dot + 1, end)]: entry.slice(end + 1) });
  }
  const modules = new Map<string, Module>();
  for (const [name, { path, url }] of found) {
    if (path === undefined || url === undefined) continue;
    modules.set(path.replace(/\/$/, ""), { name, address: url });
  }
  return modules;
}

const longestAddress = 1000;
const address = /^https:\/\/([a-z0-9.-]+)(?::(\d{1,5}))?(\/[\w.~+%/-]+)$/i;

/** The address that git is given: of a host that the server allows, and nothing in it but what has been looked at. */
export function expectFetchable(
  path: string,
  module: Module,
  allowed: readonly string[],
): { url: string; host: string } {
  const isLong = module.address.length > longestAddress;
  const [, name = "", port = "443", rest] = (!isLong && address.exec(module.address)) || [];
  if (rest === undefined) throw misnamed(path, module);
  const host = `${name.toLowerCase()}${port === "443" ? "" : `:${Number(port)}`}`;
  if (allowed.includes(host)) return { url: `https://${host}${rest}`, host };
  throw new UserError(
    "SUBMODULE_REFUSED",
    `${path}: this server fetches no submodules from ${host}, only from ${allowed.join(", ") || "nowhere"}`,
    {
      hint: `The server's administrator may allow it in etc/server.toml, and start reeve again: submodule_hosts = "${[...allowed, host].join(" ")}"`,
    },
  );
}

/** The other ways to name a place at a host: `ssh://`, `git://`, `http://`, a name before it, and what ssh itself takes. */
const otherSchemes =
  /^(?:ssh|git|https?|git\+ssh):\/\/(?:[^@/\\]*@)?([a-z0-9.-]+)(?::\d*)?\/([^\s:]+)$/i;
const ofSsh = /^(?:[\w.-]+@)?([a-z0-9-]+\.[a-z0-9.-]+):([^\s:]+)$/i;

function misnamed(path: string, { name, address: whole }: Module): UserError {
  const given = whole.slice(0, longestAddress);
  const shown = printable(given);
  const isBeside = /^\.{1,2}(\/|$)/.test(given);
  const [, host, place = ""] = otherSchemes.exec(given) ?? ofSsh.exec(given) ?? [];
  const meant = host === undefined ? "" : `https://${host}/${place.replace(/^\/+/, "")}`;
  const better = meant !== given && address.test(meant) ? meant : "https://HOST/PATH";
  const line = `git config -f .gitmodules ${quoted(`submodule.${name.slice(0, longestAddress)}.url`)} ${quoted(better)}`;
  return new UserError(
    "SUBMODULE_REFUSED",
    isBeside
      ? `${path}: ${shown} is an address beside this repository's own, and on this server nothing is beside it`
      : `${path}: ${shown} is no address of https:// that everybody may read, which is all that reeve fetches`,
    { hint: `Name it by https, commit, and push again: ${line}` },
  );
}
