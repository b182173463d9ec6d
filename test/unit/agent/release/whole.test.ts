import { describe, expect, it } from "vitest";
import { LocalSystem, type Command } from "../../../../src/system/system.ts";
import { expectFits } from "../../../../src/agent/release/size.ts";
import { expectWhole } from "../../../../src/agent/release/whole.ts";
import { demo, type Demo } from "../../../support/unit-release.ts";
import type { Files } from "../../../support/unit-repository.ts";

const commit = "1".repeat(40);
const most = { files: 100_000, bytes: 2 ** 32 };

let drawn = 0;

/** One that no other test has had read. */
function pointer(size: string | number = 12_345): string {
  const oid = String((drawn += 1)).padStart(64, "0");
  return `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${size}\n`;
}

async function judge(context: Demo, files: Files): Promise<unknown> {
  const pushed = context.repository.snapshot({ "app.py": "", ...files });
  const suspects = await expectFits({ ...context, most }, pushed);
  return expectWhole(context, suspects).catch((error: unknown) => error);
}

describe("a commit that leaves out what the app is to have", () => {
  it.each<[string, Files, string, string]>([
    ["at its top", { lib: { commit } }, "lib", "lib/.git"],
    ["at any depth", { "a/b/c/lib": { commit } }, "a/b/c/lib", "a/b/c/lib/.git"],
    [
      "that .gitmodules names",
      { lib: { commit }, ".gitmodules": '[submodule "lib"]\n\tpath = lib\n' },
      ...(["lib", "lib/.git"] as const),
    ],
    [
      "with a name of its own",
      { "my lib's": { commit } },
      ...([`'my lib'\\''s'`, `'my lib'\\''s/.git'`] as const),
    ],
    ["that looks like an option", { "-f": { commit } }, "./-f", "./-f/.git"],
    [
      "whose name is for no terminal",
      { "a\tb'": { commit } },
      ...([`$'./a\\tb\\''`, `$'./a\\tb\\'/.git'`] as const),
    ],
  ])("is refused with the line that mends it: a repository %s", async (_, files, word, inside) => {
    expect(await judge(demo(), files)).toMatchObject({
      code: "BUILD_TREE_INVALID",
      hint: expect.stringContaining(
        `: git rm --cached ${word} && rm -rf ${inside} && git add ${word}`,
      ) as string,
    });
  });

  it("is refused with the option that fetches it, where .gitmodules says from where", async () => {
    const modules = '[submodule "x"]\n\tpath = lib\n\turl = https://github.com/a/b.git\n';

    expect(await judge(demo(), { lib: { commit }, ".gitmodules": modules })).toMatchObject({
      message: expect.stringMatching(/^lib: here the commit names/) as string,
      hint: "With the option submodules reeve fetches them. Set it, and push again: reeve options APP set submodules=true",
    });
  });

  it("is refused with all of them, up to five", async () => {
    const names = Array.from({ length: 8 }, (_, at) => `lib${at}`);
    const files = Object.fromEntries(names.map((name) => [name, { commit }]));

    expect(await judge(demo(), files)).toMatchObject({
      message: expect.stringMatching(/^lib0, lib1, lib2, lib3, lib4: /) as string,
      hint: expect.stringContaining(
        "rm -rf lib0/.git lib1/.git lib2/.git lib3/.git lib4/.git",
      ) as string,
    });
  });

  it.each<[string, Files]>([
    ["wherever a rule stands", { "a/.gitattributes": "*.psd filter=lfs", "a/logo.psd": pointer() }],
    [
      "by a macro",
      { ".gitattributes": "[attr]big filter=lfs\n*.psd big", "a/logo.psd": pointer() },
    ],
    ["without any rule", { "a/logo.psd": pointer() }],
    ["of an empty file", { "a/logo.psd": pointer(0) }],
    ["of the largest file", { "a/logo.psd": pointer("9".repeat(19)) }],
    ["with other line ends", { "a/logo.psd": pointer().replaceAll("\n", "\r\n") }],
    ["of the oldest kind", { "a/logo.psd": pointer().replace("git-lfs", "hawser") }],
    ["that is a program", { "a/logo.psd": { program: pointer() } }],
  ])("is refused by what a file holds: a pointer of Git LFS %s", async (_, files) => {
    expect(await judge(demo(), files)).toMatchObject({
      code: "BUILD_TREE_INVALID",
      message: "a/logo.psd: a pointer of Git LFS, and not the file that it stands for",
      hint: expect.stringMatching(/ add --renormalize a\/logo\.psd$/) as string,
    });
  });

  it.each<[string, Files]>([
    [".gitmodules without a submodule", { ".gitmodules": '[submodule "x"]\n\tpath = x\n' }],
    ["a rule that matches nothing", { ".gitattributes": "*.psd filter=lfs -text\n" }],
    [
      "a rule for what is no pointer",
      { ".gitattributes": "*.psd filter=lfs", "logo.psd": "x".repeat(130) },
    ],
    ["a text about pointers", { "lfs.md": `A pointer:\n${pointer()}` }],
    ["a link to such a text", { link: { link: pointer().replaceAll("\n", "/") } }],
  ])("is not every one that looks like it: %s", async (_, files) => {
    expect(await judge(demo(), files)).toBeUndefined();
  });
});

describe("what is read of a commit", () => {
  class Counting extends LocalSystem {
    readonly read: number[] = [];

    override run(command: Command, options?: Parameters<LocalSystem["run"]>[1]): Promise<string> {
      if (command.args.includes("cat-file"))
        this.read.push((command.input ?? "").split("\n").length - 1);
      return super.run(command, options);
    }
  }

  const small = (text: string): string => `${text}${(drawn += 1)}`.padEnd(130, "x");

  it("are files of a pointer's length, each once, and none where nothing of that length changed", async () => {
    const host = new Counting();
    const context = demo(host);
    const files = { "one.txt": small("a"), "two.txt": small("b"), "long.txt": "x".repeat(200) };

    await judge(context, files);
    await judge(context, { ...files, "app.py": "a = 1\n" });
    await judge(context, { ...files, "three.txt": small("c"), "copy.txt": files["one.txt"] });

    expect(host.read).toEqual([2, 1]);
  });

  it("are pointers again, in each commit that has them", async () => {
    const context = demo();
    const files = { "logo.psd": pointer() };

    expect(await judge(context, files)).toMatchObject({ code: "BUILD_TREE_INVALID" });
    expect(await judge(context, files)).toMatchObject({ code: "BUILD_TREE_INVALID" });
  });
});
