import { describe, expect, it } from "vitest";
import { expectFits } from "../../../../src/agent/release/size.ts";
import { demo, type Demo } from "../../../support/unit-release.ts";

type Looking = Parameters<typeof expectFits>[0];

const empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/** A commit of a tree that holds another one ten times, and so on: ten objects, and ten to the tenth entries. */
function treesOfTrees({ repository }: Demo, leaf: string): string {
  let tree = repository.run(["mktree"], leaf).trim();
  for (let depth = 0; depth < 10; depth++) {
    const entries = Array.from({ length: 10 }, (_, at) => `040000 tree ${tree}\td${at}\n`);
    tree = repository.run(["mktree"], entries.join("")).trim();
  }
  return commitOf({ repository }, tree);
}

function commitOf({ repository }: Pick<Demo, "repository">, tree: string): string {
  const who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
  return repository.run([...who, "commit-tree", "-m", "A tree", tree]).trim();
}

function blobOf({ repository }: Demo, text: string): string {
  return repository.run(["hash-object", "-w", "--stdin"], text).trim();
}

describe("a commit that is too large for a release", () => {
  const most = { files: 100_000, bytes: 2 ** 32 };
  const refusalOf = (
    context: Demo,
    commit: string,
    more: Partial<Looking> = {},
  ): Promise<unknown> =>
    expectFits({ ...context, most, ...more }, commit).catch((error: unknown) => error);

  it.each([
    ["files", (context: Demo) => `100644 blob ${blobOf(context, "x")}\tf\n`],
    ["folders with nothing in them", () => `040000 tree ${empty}\td\n`],
  ])("is refused: trees of trees of %s", async (_, leaf) => {
    const context = demo();

    expect(await refusalOf(context, treesOfTrees(context, leaf(context)))).toMatchObject({
      code: "RELEASE_TOO_LARGE",
      message: expect.stringContaining("more than 100000 files and folders") as string,
    });
  });

  it("is refused by the bytes of its files, each as often as it stands there", async () => {
    const context = demo();
    const blob = blobOf(context, "x".repeat(1000));
    const entries = Array.from({ length: 11 }, (_, at) => `100644 blob ${blob}\tf${at}\n`);
    const tree = context.repository.run(["mktree"], entries.join("")).trim();
    const few = { most: { ...most, bytes: 10_000 } };

    expect(await refusalOf(context, commitOf(context, tree), few)).toMatchObject({
      code: "RELEASE_TOO_LARGE",
      message: expect.stringContaining("release_size") as string,
    });
  });

  it("is refused by the paths of its files together", async () => {
    const context = demo();
    const blob = blobOf(context, "x");
    const name = "n".repeat(200);
    const files = Array.from({ length: 100 }, (_, at) => `100644 blob ${blob}\t${name}${at}\n`);
    const many = context.repository.run(["mktree"], files.join("")).trim();
    const folders = Array.from({ length: 900 }, (_, at) => `040000 tree ${many}\t${name}${at}x\n`);
    let tree = context.repository.run(["mktree"], folders.join("")).trim();
    for (let depth = 0; depth < 3; depth++)
      tree = context.repository.run(["mktree"], `040000 tree ${tree}\t${name}\n`).trim();

    expect(await refusalOf(context, commitOf(context, tree))).toMatchObject({
      code: "RELEASE_TOO_LARGE",
      message: expect.stringContaining("the paths of its files are longer than 16 MiB") as string,
    });
  });

  it.each([
    [
      "is a link to a path that is too long",
      (context: Demo) => `120000 blob ${blobOf(context, "x".repeat(5000))}\tlink\n`,
    ],
    [
      "has a name that is too long",
      (context: Demo) => `100644 blob ${blobOf(context, "x")}\t${"n".repeat(2000)}\n`,
    ],
  ])("is refused where one of its files %s", async (_, leaf) => {
    const context = demo();
    const tree = context.repository.run(["mktree"], leaf(context)).trim();

    expect(await refusalOf(context, commitOf(context, tree))).toMatchObject({
      code: "RELEASE_FAILED",
      message: expect.stringMatching(/path/) as string,
    });
  });

  it("is given up where nobody wants it any more", async () => {
    const stop = new AbortController();
    const context = demo();
    const commit = treesOfTrees(context, `040000 tree ${empty}\td\n`);
    const refusal = refusalOf(context, commit, {
      most: { files: Infinity, bytes: Infinity },
      signal: stop.signal,
    });
    stop.abort(new Error("nobody wants it"));

    expect(await refusal).toMatchObject({ message: "nobody wants it" });
  });
});
