import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { eventually } from "../support/server.ts";
import { fromWheels, wheelFolder } from "../support/wheels.ts";
import type { TreeEntry, Workspace } from "../support/workspace.ts";
import { catalogue } from "./catalogue.ts";
import { isLong } from "./oracle.ts";
import { byWays, type Scene, type SceneNow } from "./scene.ts";

catalogue("trees", treeCases);

const secretText = "in-anothers-file-4b1d";
const isRoot = process.getuid?.() === 0;

interface Tree {
  title: string;
  /** What the tree has beside an app that answers `tree`; or instead of it. */
  make: (demo: Workspace, scene: Scene) => Promise<TreeEntry[]>;
  /** In what words it is refused; without, it is on the air. */
  says?: RegExp;
}

const refusedByGit = /fsck error|unpacker error|empty filename in tree entry/;
const link = "120000";
const folder = "40000";

/** Trees, and what is put on disk of them. */
function treeCases(scene: SceneNow): void {
  const secret = (): string => scene().server.path("etc/secret-of-another");

  const trees: Tree[] = [
    ...[".git", ".GIT", "GIT~1", ".g\u200cit"].map((name): Tree => ({
      title: `T1: a folder ${JSON.stringify(name)}`,
      make: async (demo) => [
        {
          mode: folder,
          name,
          id: await demo.tree([
            { name: "config", id: await demo.blob("[core]\nfsmonitor = id\n") },
          ]),
        },
      ],
      says: refusedByGit,
    })),
    ...[".", ".."].map((name): Tree => ({
      title: `T2: a folder ${JSON.stringify(name)}`,
      make: async (demo) => [{ mode: folder, name, id: await demo.tree([]) }],
      says: refusedByGit,
    })),
    ...["../../../../PWNED", "a/b", "", "/PWNED"].map((name): Tree => ({
      title: `T3: a file ${JSON.stringify(name)}`,
      make: async (demo) => [{ name, id: await demo.blob("out") }],
      says: refusedByGit,
    })),
    {
      title: "T4: one name that is a link and a folder",
      make: async (demo, { around }) => [
        { mode: link, name: "d", id: await demo.blob(around) },
        {
          mode: folder,
          name: "d",
          id: await demo.tree([{ name: "PWNED", id: await demo.blob("out") }]),
        },
      ],
      says: refusedByGit,
    },
    {
      title: "T5: a link to a folder outside",
      make: async (demo, { around }) => [{ mode: link, name: "way", id: await demo.blob(around) }],
    },
    {
      title: "T5: a folder where the link was",
      make: async (demo) => [
        {
          mode: folder,
          name: "way",
          id: await demo.tree([{ name: "PWNED", id: await demo.blob("out") }]),
        },
      ],
    },
    {
      title: "T5: a link and a folder that differ by their case",
      make: async (demo, { around }) => [
        { mode: link, name: "WAY", id: await demo.blob(around) },
        {
          mode: folder,
          name: "way",
          id: await demo.tree([{ name: "PWNED", id: await demo.blob("out") }]),
        },
      ],
    },
    ...["Procfile", "requirements.txt"].flatMap((name) =>
      ["SECRET", "/dev/zero", "FIFO", "../../../../etc/shadow", "loop", "."].map(
        (target): Tree => ({
          title: `T6: ${name} as a link to ${target}`,
          make: async (demo, { around }) => {
            const to = target.replace("SECRET", secret()).replace("FIFO", join(around, "fifo"));
            const entries = [
              { mode: link, name, id: await demo.blob(target === "loop" ? name : to) },
            ];
            return entries;
          },
          // A Procfile that leads out of the commit is none; requirements that cannot be read are refused.
          ...(name === "requirements.txt" && target !== "loop" && target !== "."
            ? { says: /error\[(BUILD_TREE_INVALID|ENVIRONMENT_FAILED)\]/ }
            : {}),
        }),
      ),
    ),
    {
      title: "T6: the app itself as a link to what it may not read",
      make: async (demo) => [{ mode: link, name: "app.py", id: await demo.blob(secret()) }],
      says: /error\[(APP_UNHEALTHY|MODULE_NOT_FOUND)\]/,
    },
    {
      title: "T6: folders of reeve's as links",
      make: async (demo) =>
        Promise.all(
          [".env", "app", "current", "runtime.txt", "static", "venv"].map(async (name) => ({
            mode: link,
            name,
            id: await demo.blob(secret()),
          })),
        ),
    },
    {
      title: "T7: links in a ring, and one to itself",
      make: async (demo) => [
        { mode: link, name: "one", id: await demo.blob("two") },
        { mode: link, name: "self", id: await demo.blob(".") },
        { mode: link, name: "two", id: await demo.blob("one") },
      ],
    },
    {
      title: "T7: folders within folders, 300 deep",
      make: async (demo) => {
        let id = await demo.tree([{ name: "end", id: await demo.blob("end") }]);
        for (let depth = 0; depth < 300; depth++)
          id = await demo.tree([{ mode: folder, name: "d", id }]);
        return [{ mode: folder, name: "d", id }];
      },
    },
    {
      title: "T7: a name of 5,000 letters",
      make: async (demo) => [{ name: "x".repeat(5000), id: await demo.blob("long") }],
      says: /error\[RELEASE_FAILED\]|unpacker error/,
    },
    {
      title: "T7: 200,000 files",
      make: async (demo) => {
        const id = await demo.blob("small");
        const names = Array.from(
          { length: isLong ? 200_000 : 5000 },
          (_, number) => `f${String(number).padStart(6, "0")}`,
        );
        return [
          { mode: folder, name: "many", id: await demo.tree(names.map((name) => ({ name, id }))) },
        ];
      },
    },
    {
      title: "T7: a gigabyte that was a megabyte on the way",
      make: async (demo) => [
        { name: "zeros", id: await demo.blob(Buffer.alloc(1024 * 1024 * 1024)) },
      ],
    },
    {
      title: "T9: a tree that is a repository, with a program in its configuration",
      make: async (demo, { oracle }) => {
        const program = `touch ${oracle.canary}`;
        const config = `[core]\n\tbare = true\n\trepositoryformatversion = 0\n\tfsmonitor = ${program}\n\tsshCommand = ${program}\n\thooksPath = hooks\n`;
        const hook = await demo.blob(`#!/bin/sh\n${program}\n`);
        const hooks = ["post-checkout", "post-index-change", "reference-transaction", "update"].map(
          (name) => ({ mode: "100755", name, id: hook }),
        );
        const repository = [
          { name: "HEAD", id: await demo.blob("ref: refs/heads/main\n") },
          { name: "config", id: await demo.blob(config) },
          { mode: folder, name: "hooks", id: await demo.tree(hooks) },
          { mode: folder, name: "objects", id: await demo.tree([{ name: "x", id: hook }]) },
          { mode: folder, name: "refs", id: await demo.tree([{ name: "x", id: hook }]) },
        ];
        return [...repository, { mode: folder, name: "sub", id: await demo.tree(repository) }];
      },
    },
    {
      title: "T10: hooks, filters and configurations in the tree",
      make: async (demo, { oracle }) => {
        const program = `touch ${oracle.canary}`;
        const hook = await demo.blob(`#!/bin/sh\n${program}\n`);
        return [
          { name: ".gitattributes", id: await demo.blob("* filter=evil diff=evil merge=evil\n") },
          {
            name: ".gitconfig",
            id: await demo.blob(`[filter "evil"]\n\tsmudge = ${program}\n\tprocess = ${program}\n`),
          },
          { name: ".lfsconfig", id: await demo.blob(`[lfs]\n\turl = http://127.0.0.1/\n`) },
          { name: ".mailmap", id: await demo.blob("Root <root@localhost> <ada@example.org>\n") },
          {
            mode: folder,
            name: "hooks",
            id: await demo.tree([{ mode: "100755", name: "post-checkout", id: hook }]),
          },
        ];
      },
    },
    ...[
      ["url=-u", `[submodule "x"]\n\tpath = x\n\turl = -u./payload\n`],
      ["a program", `[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch% CANARY\n`],
      [
        "another's repository",
        `[submodule "x"]\n\tpath = x\n\turl = file:///REPOSITORIES/other.git\n`,
      ],
      ["a carriage return", `[submodule "x"]\n\tpath = "x\\r"\n\turl = https://example.org/x\n`],
      [
        "an update of its own",
        `[submodule "x"]\n\tpath = x\n\turl = https://example.org/x\n\tupdate = !touch CANARY\n`,
      ],
      [
        "a name that leads out",
        `[submodule "../../x"]\n\tpath = x\n\turl = https://example.org/x\n`,
      ],
      ["nothing bad", `[submodule "x"]\n\tpath = x\n\turl = https://example.org/x\n`],
    ].map(([what = "", text = ""]): Tree => ({
      title: `T11: a submodule with ${what}`,
      make: async (demo, { oracle, server }) => {
        const filled = text
          .replace("CANARY", oracle.canary)
          .replace("/REPOSITORIES", server.path("lib/repositories"));
        return [
          { name: ".gitmodules", id: await demo.blob(filled) },
          { mode: "160000", name: "x", id: "1".repeat(40) },
        ];
      },
      says: /fsck error|unpacker error|error\[BUILD_TREE_INVALID\]: x: here the commit names a commit of another repository/,
    })),
    {
      title: "T11: files of Git LFS",
      make: async (demo) => [
        {
          name: "big.bin",
          id: await demo.blob(
            `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 9\n`,
          ),
        },
      ],
      says: /error\[BUILD_TREE_INVALID\]: big\.bin: a pointer of Git LFS/,
    },
    ...[
      "a\nb.py",
      "\u001b]0;title\u0007.py",
      "-rf",
      "*",
      "cafe\u0301.py",
      "--output=x.py",
      "'; touch x; '.py",
    ].map((name): Tree => ({
      title: `T12: a file ${JSON.stringify(name)}`,
      make: async (demo) => [{ name, id: await demo.blob("x = 1\n") }],
    })),
    {
      title: "T12: a file whose name is no text",
      make: async (demo) => [
        { name: Buffer.from([0x66, 0xff, 0xfe, 0x2e, 0x70, 0x79]), id: await demo.blob("x = 1\n") },
      ],
    },
    {
      title: "T13: a million attributes",
      make: async (demo) => {
        const lines = Array.from(
          { length: isLong ? 1_000_000 : 50_000 },
          (_, number) => `${"p".repeat(20)}${number} a${number % 10}`,
        );
        return [{ name: ".gitattributes", id: await demo.blob(lines.join("\n")) }];
      },
    },
    {
      title: "T13: a line of a hundred megabytes of attributes",
      make: async (demo) => [
        {
          name: ".gitattributes",
          id: await demo.blob(Buffer.alloc((isLong ? 101 : 5) * 1024 * 1024, "x")),
        },
      ],
      says: /gitattributesLineLength|gitattributesLarge/,
    },
    {
      title: "T14: what an archive would leave out or fill in is there, and as it was",
      make: async (demo) => [
        { name: ".gitattributes", id: await demo.blob("app.py export-ignore\n* export-subst\n") },
        { name: "subst.txt", id: await demo.blob("$Format:%<(2147483647)%H$ $Id$\n") },
      ],
    },
    {
      title: "T15: modes that no file may have",
      make: async (demo) => {
        const id = await demo.blob("#!/bin/sh\nid\n");
        return ["104755", "100666", "102755"].map((mode) => ({ mode, name: `m${mode}`, id }));
      },
    },
    {
      title: "T15: a mode that is none",
      make: async (demo) => [{ mode: "0777777", name: "m", id: await demo.blob("x") }],
      says: /fsck error|unpacker error|error\[/,
    },
  ];

  // In the short form one of each number.
  const isFirst = ({ title }: Tree, index: number): boolean =>
    trees.findIndex((tree) => tree.title.split(":")[0] === title.split(":")[0]) === index;
  const rows = trees
    .filter((tree, index) => isLong || isFirst(tree, index))
    .map(({ title, ...tree }): [string, Omit<Tree, "title">] => [title, tree]);
  it.each(byWays(rows))("%s", async (title, tree, via) => {
    const { demo, server } = scene();
    plant(scene(), secret());
    const before = scene().main;
    const entries = await tree.make(demo, scene());
    const app = { name: "app.py", id: await demo.blob(plainApp("tree")["app.py"] ?? "") };
    const all = [
      ...entries.filter(({ name }) => name !== "app.py" || tree.says === undefined),
      ...(entries.some(({ name }) => name === "app.py") ? [] : [app]),
    ];
    const commit = await demo.commitTree(all.sort(inGitsOrder), title);

    const push = await scene().push(via, [`+${commit}:refs/heads/main`]);

    unplant(scene(), secret());
    expect(push.output).not.toContain(secretText);
    // eslint-disable-next-line no-control-regex -- what must not be shown
    expect(push.output).not.toMatch(/[\u0000-\u0008\u000e-\u001a\u001c-\u001f]|\u001b\]/);
    if (tree.says) {
      expect(push.exitCode, push.output).toBe(1);
      expect(push.output).toMatch(tree.says);
      expect(scene().main).toBe(before);
      return;
    }
    expect(push.exitCode, push.output).toBe(0);
    expect((await server.get("demo")).body).toBe("tree");
    const release = server.path("srv/demo/releases", commit);
    expect(found(release, ["-perm", "/6000"])).toEqual([]);
    // The folder is closed at once, and its files when what an older release had is gone, which may be a lot.
    const open = ["!", "-type", "l", "(", "-perm", "/022", "-o", "!", "-uid", "0", ")"];
    if (isRoot && (isLong || /^T(5|15)/.test(title)))
      await eventually(() => found(release, open).length === 0, 110_000);
    if (title.startsWith("T14"))
      expect(readFileSync(join(release, "subst.txt"), "utf8")).toBe(
        "$Format:%<(2147483647)%H$ $Id$\n",
      );
  });

  it.runIf(isRoot)(
    "T8: what root writes while an app swaps folders for links lands where it should",
    async () => {
      const { demo, server, around } = scene();
      const files = {
        ...plainApp("swap"),
        "requirements.txt": fromWheels(wheelFolder(), "greeting==1.0"),
      };
      const first = await demo.commitBeside(files, "Swap");
      expect((await scene().push("http", [`+${first}:refs/heads/main`])).exitCode).toBe(0);
      await server.settled("demo");
      const victim = join(around, "victim");
      writeFileSync(victim, "as it was", { mode: 0o600 });
      const cache = server.path("srv/demo/envs/.cache");
      const { uid, gid } = ownerOf(server.path("srv/demo/data"));
      // What an app could do while the folder was its own, as fast as it can.
      const loop = `cd '${cache}' && while :; do for each in ????????????????; do ln -sfn '${victim}' $each/constraints.txt; ln -sfn '${around}' $each/tree; rm -f $each/constraints.txt; done; done 2>/dev/null`;
      const swapping = spawn("sh", ["-c", loop], { uid, gid, stdio: "ignore" });
      try {
        for (let round = 0; round < (isLong ? 20 : 2); round++) {
          // A vassal that still reloads needs its environment.
          await server.settled("demo");
          // What is built a second time is held to the versions of the first: those are written down for it. An
          // app may spoil its own build by this, and nothing else.
          const [environment] = readdirSync(server.path("srv/demo/envs")).filter((name) =>
            server.read("etc/vassals/demo.ini").includes(`/envs/${name}\n`),
          );
          if (environment) rmSync(server.path("srv/demo/envs", environment), { recursive: true });
          await server.reeve("redeploy", "demo");
        }
      } finally {
        swapping.kill("SIGKILL");
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
      for (const name of ["constraints.txt", "tree"])
        rmSync(join(cache, name), { force: true, recursive: true });
      const after = [readFileSync(victim, "utf8"), ownerOf(victim).uid];
      rmSync(victim);

      expect(after).toEqual(["as it was", 0]);
    },
  );

  describe("T16: commits with", () => {
    const person = "Ada <ada@example.org>";
    const when = `${person} 1700000000 +0000`;
    const rows: [string, { author?: string; message?: string }][] = [
      ["escapes", { message: "\u001b[31mred\u001b[0m \u001b]0;title\u0007 \u202eright\n" }],
      ["a forged verdict", { message: "x\r=yes\r|error\n\n=yes\n" }],
      [
        "an author of escapes",
        { author: "\u001b[31mAda\u0007 <ada@example.org> 1700000000 +0000" },
      ],
      [
        "a first line of a hundred megabytes",
        { message: "x".repeat((isLong ? 100 : 30) * 1024 * 1024) },
      ],
      ["a date in the year 9999", { author: `${person} 253402300000 +0000` }],
      ["a date before all time", { author: `${person} -1 +0000` }],
      ["no message", { message: "" }],
    ];
    it.each(byWays(rows, 4))("%s", async (_, { author = when, message = "x\n" }, via) => {
      const { demo } = scene();
      const app = await demo.blob(plainApp("T16")["app.py"] ?? "");
      const tree = await demo.tree([{ name: "app.py", id: app }]);
      const head = `tree ${tree}\nauthor ${author}\ncommitter ${author}\n\n`;
      const commit = await demo.object("commit", head + message);
      const push = await scene().push(via, [`+${commit}:refs/heads/main`]);

      // eslint-disable-next-line no-control-regex -- what must not be shown
      expect(push.output).not.toMatch(/\u001b\[31m|\u001b\]0|\u0007|\u202e/);
      expect(push.exitCode, push.output).toBe(0);
    });

    it("no tree", async () => {
      const { demo, main } = scene();
      const author = `${person} 1700000000 +0000`;
      const commit = await demo.object(
        "commit",
        `author ${author}\ncommitter ${author}\n\nNo tree\n`,
      );
      const pack = await scene()
        .pushRaw("http", "refs/heads/main", commit)
        .catch((error: unknown) => ({ exitCode: 1, output: String(error) }));

      expect(pack.exitCode).not.toBe(0);
      expect(scene().main).toBe(main);
    });
  });
}

/** A file of somebody else's, and a pipe on which a reader would wait for ever. */
function plant({ around }: Scene, secret: string): void {
  writeFileSync(secret, `${secretText}\n`, { mode: 0o600 });
  mkdirSync(around, { recursive: true });
  if (!existsSync(join(around, "fifo"))) execFileSync("mkfifo", [join(around, "fifo")]);
}

function unplant({ around }: Scene, secret: string): void {
  rmSync(secret);
  rmSync(join(around, "fifo"));
}

function found(where: string, words: string[]): string[] {
  return execFileSync("find", [where, ...words], { encoding: "latin1", maxBuffer: 1024 ** 3 })
    .split("\n")
    .filter(Boolean);
}

function ownerOf(path: string): { uid: number; gid: number } {
  const [uid, gid] = execFileSync("stat", ["-c", "%u %g", path], { encoding: "utf8" }).split(" ");
  return { uid: Number(uid), gid: Number(gid) };
}

/** A folder is sorted as if its name ended in a slash (git's base_name_compare). */
function inGitsOrder(one: TreeEntry, other: TreeEntry): number {
  const key = ({ name, mode }: TreeEntry): Buffer =>
    Buffer.concat([Buffer.from(name), Buffer.from(mode === folder ? "/" : "\0")]);
  return Buffer.compare(key(one), key(other));
}
