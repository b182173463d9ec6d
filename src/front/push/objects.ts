import { UserError } from "../../errors.ts";
import { printable } from "../../system/lines.ts";

/**
 * What git finds in an object that is not as it should be, by git's own names (git-fsck(1)); all of them, up to git
 * 2.47. `untidy` is what old tools left in histories that everybody has, and what changes nothing in a checkout or for
 * whoever reads the history: it is let in. Of all else the text says what is wrong with the object.
 */
export const objectProblems = {
  badDate: "untidy",
  badDateOverflow: "untidy",
  badEmail: "untidy",
  badFilemode: "untidy",
  badName: "untidy",
  badObjectSha1: "names an object by something that is no id",
  badParentSha1: "names a parent by something that is no id",
  badRefFiletype: "is a ref of a kind that git does not know",
  badRefName: "is a ref with a name that git does not take",
  badTagName: "untidy",
  badTimezone: "untidy",
  badTree: "cannot be read as a folder",
  badTreeSha1: "names its tree by something that is no id",
  badType: "names a type that git does not know",
  duplicateEntries: "has two files of one name",
  emptyName: "has a file without a name",
  extraHeaderEntry: "untidy",
  fullPathname: "has a file with a / in its name",
  gitattributesBlob: "has something as .gitattributes that is no file",
  gitattributesLarge: "has a .gitattributes that is larger than git reads",
  gitattributesLineLength: "has a line in .gitattributes that is longer than git reads",
  gitattributesMissing: "has a .gitattributes that is not there",
  gitattributesSymlink: "untidy",
  gitignoreSymlink: "untidy",
  gitmodulesBlob: "has something as .gitmodules that is no file",
  gitmodulesLarge: "has a .gitmodules that is larger than git reads",
  gitmodulesMissing: "has a .gitmodules that is not there",
  gitmodulesName: "has a submodule whose name leads elsewhere, in .gitmodules",
  gitmodulesParse: "untidy",
  gitmodulesPath: "has a submodule whose path is an option of git's, in .gitmodules",
  gitmodulesSymlink: "has a link as .gitmodules",
  gitmodulesUpdate: "has a submodule that runs a command, in .gitmodules",
  gitmodulesUrl: "has a submodule whose address is an option of git's, in .gitmodules",
  hasDot: "has a file called .",
  hasDotdot: "has a file called ..",
  hasDotgit: "has a file called .git, or what some file system takes for that",
  largePathname: "has a name that is longer than any file system takes",
  mailmapSymlink: "untidy",
  missingAuthor: "is a commit without an author",
  missingCommitter: "is a commit without a committer",
  missingEmail: "untidy",
  missingNameBeforeEmail: "untidy",
  missingObject: "is a tag of nothing",
  missingSpaceBeforeDate: "untidy",
  missingSpaceBeforeEmail: "untidy",
  missingTag: "is a tag that ends too early",
  missingTagEntry: "is a tag without a name",
  missingTaggerEntry: "untidy",
  missingTree: "is a commit without a tree",
  missingType: "is a tag of something without a type",
  missingTypeEntry: "is a tag of something without a type",
  multipleAuthors: "untidy",
  nulInCommit: "untidy",
  nulInHeader: "has a zero byte before its message",
  nullSha1: "has a file that is not there",
  treeNotSorted: "has its files in a wrong order",
  unknownType: "is of a type that git does not know",
  unterminatedHeader: "ends too early",
  zeroPaddedDate: "untidy",
  zeroPaddedFilemode: "untidy",
} as const;

/** What git lets in, as its configuration names it. */
export const untidyObjects = Object.entries(objectProblems)
  .filter(([, words]) => words === "untidy")
  .map(([name]) => name);

const complaint = /^error: object ([0-9a-f]{40}): (\w+): /;
/** What git says where it could not even read an object, or misses one. */
const unreadable =
  /in tree entry|tree object|tree file|corrupt|inflate|inconsistent|unresolved|bad object|invalid (?:tree|commit|tag|blob)/i;
const incomplete = /unexpected type|did not receive expected object|not all child objects/i;

/** Lines of a git that are looked at, and characters of each. */
const mostLines = 100;
const longestLine = 300;

/** Why git did not take a pack, by what it said of it; undefined where its own words are as good. */
export function refusalOfPack(words: string, isShallow: boolean): UserError | undefined {
  const lines = words.split("\n", mostLines).map((line) => line.slice(0, longestLine));
  for (const line of lines) {
    const [, id, name] = complaint.exec(line) ?? [];
    if (id !== undefined && name !== undefined) return refusalOfObject(id, name);
  }
  const missing = lines.find((line) => incomplete.test(line));
  if (missing !== undefined && isShallow)
    return new UserError(
      "SHALLOW_PUSH",
      "this push comes from a shallow clone, and what came before it is not on the server",
    );
  const said = missing ?? lines.find((line) => unreadable.test(line));
  return said === undefined
    ? undefined
    : new UserError(
        "OBJECT_REFUSED",
        `git cannot read what was pushed: ${printable(said.replace(/^\w+: /, ""))}`,
      );
}

function refusalOfObject(id: string, name: string): UserError {
  const known: Partial<Record<string, string>> = objectProblems;
  return new UserError(
    "OBJECT_REFUSED",
    `the object ${id} ${known[name] ?? "is not as it should be"} (${name})`,
  );
}
