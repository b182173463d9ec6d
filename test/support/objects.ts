import { packOf } from "./packs.ts";
import type { TestServer } from "./server.ts";
import type { Workspace } from "./workspace.ts";

/** An object of a shape that git complains of, or a commit or tag that leads to it. */
export type Shape = (demo: Workspace) => Promise<string>;

const ada = "Ada <ada@example.org> 1700000000 +0000";

/** A commit of this text; TREE is an empty folder. */
function commit(text: string): Shape {
  return async (demo) => demo.object("commit", text.replace("TREE", await demo.tree([])));
}

function author(line: string): Shape {
  return commit(`tree TREE\nauthor ${line}\ncommitter ${ada}\n\nBy ${line}\n`);
}

/** A commit of a folder with these entries; names and modes as they are. */
function folder(...entries: [mode: string, name: string, text?: string][]): Shape {
  return async (demo) => {
    const made = await Promise.all(
      entries.map(async ([mode, name, text = "text"]) => ({
        mode,
        name,
        id: mode.endsWith("40000") ? await demo.tree([]) : await demo.blob(text),
      })),
    );
    return demo.commitTree(made, "A folder");
  };
}

function modules(...lines: string[]): Shape {
  return folder(["100644", ".gitmodules", `[submodule "lib"]\n${lines.join("\n")}\n`]);
}

/** A tag of this text; COMMIT is the workspace's own. */
function tag(text: string): Shape {
  return async (demo) => demo.object("tag", text.replace("COMMIT", await demo.head()));
}

const file = "100644";

/** An object of each shape that can be pushed, by git's name of what is wrong with it. */
export const shapes: Record<string, Shape> = {
  badDate: author("Ada <ada@example.org> yesterday +0000"),
  badDateOverflow: author("Ada <ada@example.org> 99999999999999999999 +0000"),
  badEmail: author("Ada <ada<example.org> 1700000000 +0000"),
  badFilemode: folder(["100664", "script"]),
  badName: author("Ada> <ada@example.org> 1700000000 +0000"),
  badObjectSha1: tag("object nothing\ntype commit\ntag x\n"),
  badParentSha1: commit(`tree TREE\nparent none\nauthor ${ada}\ncommitter ${ada}\n\nx\n`),
  badTagName: tag(`object COMMIT\ntype commit\ntag a..b\ntagger ${ada}\n\nx\n`),
  badTimezone: author("Ada <ada@example.org> 1700000000 +051800"),
  badTree: async (demo) => {
    const tree = await demo.object("tree", "100644 cut\0short");
    return demo.object("commit", `tree ${tree}\nauthor ${ada}\ncommitter ${ada}\n\nx\n`);
  },
  badTreeSha1: commit(`tree none\nauthor ${ada}\ncommitter ${ada}\n\nx\n`),
  badType: tag(`object COMMIT\ntype branch\ntag x\ntagger ${ada}\n\nx\n`),
  duplicateEntries: folder([file, "twice"], [file, "twice"]),
  emptyName: folder([file, ""]),
  extraHeaderEntry: tag(`object COMMIT\ntype commit\ntag x\ntagger ${ada}\nmore yes\n\nx\n`),
  fullPathname: folder([file, "a/b"]),
  gitattributesBlob: folder(["40000", ".gitattributes"]),
  gitattributesLineLength: folder([file, ".gitattributes", `${"a".repeat(3000)} text\n`]),
  gitattributesSymlink: folder(["120000", ".gitattributes"]),
  gitignoreSymlink: folder(["120000", ".gitignore"]),
  gitmodulesBlob: folder(["40000", ".gitmodules"]),
  gitmodulesName: folder([file, ".gitmodules", '[submodule "../lib"]\npath = lib\nurl = x\n']),
  gitmodulesParse: folder([file, ".gitmodules", "[submodule\n"]),
  gitmodulesPath: modules("path = -u", "url = https://example.org/"),
  gitmodulesSymlink: folder(["120000", ".gitmodules"]),
  gitmodulesUpdate: modules("path = lib", "url = https://example.org/", "update = !id"),
  gitmodulesUrl: modules("path = lib", "url = --upload-pack=id"),
  hasDot: folder(["40000", "."]),
  hasDotdot: folder(["40000", ".."]),
  hasDotgit: folder(["40000", ".GIT"]),
  mailmapSymlink: folder(["120000", ".mailmap"]),
  missingAuthor: commit(`tree TREE\ncommitter ${ada}\n\nx\n`),
  missingCommitter: commit(`tree TREE\nauthor ${ada}\n\nx\n`),
  missingEmail: author("Ada 1700000000 +0000"),
  missingNameBeforeEmail: author("<ada@example.org> 1700000000 +0000"),
  missingObject: tag("type commit\ntag x\n\nx\n"),
  missingSpaceBeforeDate: author("Ada <ada@example.org>1700000000 +0000"),
  missingSpaceBeforeEmail: author("Ada<ada@example.org> 1700000000 +0000"),
  missingTagEntry: tag("object COMMIT\ntype commit\nname x\n\nx\n"),
  missingTaggerEntry: tag("object COMMIT\ntype commit\ntag x\n\nx\n"),
  missingTree: commit(`author ${ada}\ncommitter ${ada}\n\nx\n`),
  missingTypeEntry: tag("object COMMIT\ntag x\n\nx\n"),
  multipleAuthors: commit(`tree TREE\nauthor ${ada}\nauthor ${ada}\ncommitter ${ada}\n\nx\n`),
  nulInCommit: commit(`tree TREE\nauthor ${ada}\ncommitter ${ada}\n\nseen\0hidden\n`),
  nulInHeader: commit(`tree TREE\nauthor ${ada}\ncommitter\0 ${ada}\n\nx\n`),
  nullSha1: async (demo) =>
    demo.commitTree([{ name: "nothing", id: "0".repeat(40) }], "A file that is not there"),
  treeNotSorted: folder([file, "b"], [file, "a"]),
  unterminatedHeader: commit("tree TREE"),
  zeroPaddedDate: author("Ada <ada@example.org> 01700000000 +0000"),
  zeroPaddedFilemode: folder(["040000", "folder"]),
};

/**
 * Makes an object of this shape and pushes it, with a ref for it, in the words of the protocol: git's own client would
 * not read some of them. Resolves to what the server says.
 */
export async function pushShape(
  server: TestServer,
  demo: Workspace,
  { ref, shape }: { ref: string; shape: Shape },
): Promise<string> {
  const before = new Set(await objectsOf(demo));
  const id = await shape(demo);
  const made = (await objectsOf(demo)).filter(
    (object) => !before.has(object) || shared.has(object),
  );
  const pack = await packOf(demo.folder, made);
  const words = `${"0".repeat(40)} ${id} ${ref}\0report-status side-band-64k`;
  const head = `${(words.length + 4).toString(16).padStart(4, "0")}${words}0000`;
  const { body } = await server.receivePack("demo", Buffer.concat([Buffer.from(head), pack]));
  return textOf(body);
}

/** The empty folder and the file `text`, which several shapes have. */
const shared = new Set([
  "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
  "f3a34851d44d6b97c90fbb99dd3d18c261b9a237",
]);

async function objectsOf(demo: Workspace): Promise<string[]> {
  const words = ["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"];
  return (await demo.git(...words)).output.trim().split("\n");
}

/** What stands in the packets of a report, those of its side bands included; all of it is ASCII. */
function textOf(packets: string): string {
  const texts: string[] = [];
  for (let at = 0; at < packets.length;) {
    const size = Number.parseInt(packets.slice(at, at + 4), 16);
    const text = packets.slice(at + 4, at + size);
    texts.push(text.startsWith("\x01") ? textOf(text.slice(1)) : text.replace("\x02", ""));
    at += Math.max(size, 4);
  }
  return texts.join("");
}

/** The command at the end of a hint, as the pusher reads it. */
export function hintOf(output: string): string {
  return /^(?:remote: )?(?:hint|reeve): .*?: (git push .*)$/m.exec(output)?.[1]?.trimEnd() ?? "";
}
