import { z } from "zod";
import { UserError } from "../errors.ts";

/**
 * The security boundary of everything that is called by a name: a name that passes here is safe in a
 * path, an ini, a server block, a host and an argument. The front and the agent both check with it.
 */
const appNameGrammar = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const longestAppName = 30;

/** Hosts and folders that are reeve's own or that browsers, mail and DNS give a meaning to. */
const reservedNames = new Set([
  "admin",
  "api",
  "app",
  "apps",
  "autoconfig",
  "autodiscover",
  "conf",
  "default",
  "ftp",
  "git",
  "imap",
  "localhost",
  "mail",
  "nginx",
  "ns",
  "reeve",
  "root",
  "smtp",
  "uwsgi",
  "wpad",
  "www",
]);

export function isAppName(text: string): boolean {
  return text.length <= longestAppName && appNameGrammar.test(text) && !reservedNames.has(text);
}

/** The name itself, or `APP_NAME_INVALID`. */
export function expectAppName(text: string): string {
  if (isAppName(text)) return text;
  throw appNameError(text);
}

export function appNameError(text: string): UserError {
  const shown = JSON.stringify(text.slice(0, 60));
  if (!reservedNames.has(text)) {
    return new UserError("APP_NAME_INVALID", `${shown} cannot be the name of an app`);
  }
  return new UserError("APP_NAME_INVALID", `${shown} is a name that reeve keeps for itself`, {
    hint: "Choose another name.",
  });
}

/** What an account is called: safe in a list, a log and an address, and not to be taken for an option. */
const accountNameGrammar = /^[a-z][a-z0-9]*([._-][a-z0-9]+)*$/;

/** The name itself, or `ACCOUNT_NAME_INVALID`. */
export function expectAccountName(text: string): string {
  if (isAccountName(text)) return text;
  throw new UserError(
    "ACCOUNT_NAME_INVALID",
    `${JSON.stringify(text.slice(0, 60))} cannot be the name of an account`,
  );
}

export function isAccountName(text: string): boolean {
  return text.length <= 30 && accountNameGrammar.test(text);
}

/** What an account may do with one app; each holds those before it. */
export const rightNames = ["read", "preview", "deploy", "admin"] as const;
export type Right = (typeof rightNames)[number];

const branchPrefix = "refs/heads/";

export function isBranchRef(ref: string): boolean {
  return ref.startsWith(branchPrefix);
}

export function branchOf(ref: string): string {
  return ref.slice(branchPrefix.length);
}

/** A tag by a name that git may take; others it refuses itself, once its hooks are done. */
export function isTagRef(ref: string): boolean {
  return ref.length <= 500 && /^refs\/tags\/(?!.*\.\.)[^\p{Cc}\p{Zl}\p{Zp} ~^:?*[\\]+$/u.test(ref);
}

const rootGrammar = /^[A-Za-z0-9_][A-Za-z0-9._-]*(?:\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/;
const longestRoot = 200;

/** A folder of a tree, as an option and an ini may name it; empty is the whole tree. */
export function isRootFolder(text: string): boolean {
  return text === "" || (text.length <= longestRoot && rootGrammar.test(text));
}

export const rootFolder = z
  .string()
  .refine(isRootFolder, "is not a folder of the repository, such as backend");

/** A branch's name as git and a shell take it; its full name where git would read something else. */
export function quotedBranch(branch: string): string {
  const isTaken = /^(-|refs\/|HEAD$|[0-9a-f]{40}$)/.test(branch);
  return quoted(isTaken ? `refs/heads/${branch}` : branch);
}

/** A word of a command line as a shell takes it. */
export function quoted(word: string): string {
  return /^[A-Za-z0-9.:+_/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** What parts a preview's slug from its app; no app and no slug holds it. */
const previewMark = "--";

/** `new-cart--demo`: the instance, its folder and the first label of its host. */
export function previewName(slug: string, app: string): string {
  return `${slug}${previewMark}${app}`;
}

/** Whose app an instance is: an app's own is called like the app. */
export function appOfInstance(name: string): string {
  return name.slice(isPreviewName(name) ? name.lastIndexOf(previewMark) + previewMark.length : 0);
}

/** The part of a preview's name that its branch gave to it. */
export function slugOfPreview(name: string): string {
  return name.slice(0, name.lastIndexOf(previewMark));
}

export function isPreviewName(name: string): boolean {
  return name.includes(previewMark);
}

const labelGrammar = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** A host name of letters, digits and hyphens (RFC 1123), lower case, without a port. */
export function isHostName(text: string): boolean {
  if (text.length > 200 || /^[0-9.]+$/.test(text)) return false;
  return text.split(".").every((label) => labelGrammar.test(label));
}

/** `module:callable`, as uWSGI's `module` takes it; no other character has a place in it. */
const moduleGrammar = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$/;

/** A branch that an option may name: a strict part of what git allows, nothing that is an option or a pattern. */
const branchGrammar =
  /^(?!.*(\.\.|\/\/|\.lock($|\/)|\/\.|@\{))[A-Za-z0-9][A-Za-z0-9._/-]{0,99}(?<![./])$/;

export const variableNameGrammar = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/** Variables that would change what reeve or uWSGI do, rather than what the app sees. */
export const reservedVariable = /^(UWSGI_|REEVE_|GIT_|LD_)|^(PATH|HOME|PYTHONHOME)$/;

const commitGrammar = /^[0-9a-f]{40}$/;
export const absentCommit = "0".repeat(40);

export const appName = z.string().refine(isAppName, "is not the name of an app");
export const accountName = z.string().refine(isAccountName, "is not the name of an account");
export const commitId = z.string().regex(commitGrammar, "is not a commit id of 40 digits");
export const branchName = z.string().regex(branchGrammar, "is not a branch name that reeve takes");
export const moduleName = z.string().max(200).regex(moduleGrammar, "is not module:callable");

/** What a reader sees of a commit. */
export function shortCommit(commit: string): string {
  return commit.slice(0, 7);
}
