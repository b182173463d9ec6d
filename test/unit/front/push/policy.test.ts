import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { quotedBranch } from "../../../../src/names/names.ts";
import { UserError } from "../../../../src/errors.ts";
import type { BranchPolicy } from "../../../../src/protocol/agent-verbs.ts";
import { judgeRef, parseRefUpdates, refAction } from "../../../../src/front/push/policy.ts";
import { allEvilBranches } from "../../../support/evil-names.ts";
import { Repository } from "../../../support/unit-repository.ts";

const commit = "3f2a91c0123456789abcdef0123456789abcdef0";
const absent = "0".repeat(40);

function judge(ref: string, newCommit = commit, policy: Partial<BranchPolicy> = {}) {
  const branches = { productionBranch: "main", previews: "all", root: "", ...policy };
  return judgeRef("demo", branches, { ref, oldCommit: absent, newCommit });
}

function refusalOf(work: () => unknown): UserError {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return error as UserError;
  }
  throw new Error("it was not refused");
}

describe("what right a ref needs", () => {
  it.each([
    ["refs/heads/main", "pushProduction"],
    ["refs/heads/shop", "pushBranch"],
    ["refs/heads/main/x", "pushBranch"],
    ["refs/heads/refs/heads/main", "pushBranch"],
    ["refs/tags/v1.0", "pushProduction"],
    ["refs/tags/main", "pushProduction"],
    ["refs/notes/x", "pushProduction"],
    ["HEAD", "pushProduction"],
  ])("%s: %s", (ref, action) => {
    expect(refAction("main", ref)).toBe(action);
  });
});

describe("what becomes of a ref", () => {
  it.each([
    ["the production branch", "refs/heads/main", "deploy"],
    ["a tag", "refs/tags/v1.0", "store"],
    ["a tag that is named like the branch", "refs/tags/main", "store"],
    ["a tag that looks like an option", "refs/tags/--output=/tmp/PWNED", "store"],
  ] as const)("%s (%s): %s", (_, ref, verdict) => {
    expect(judge(ref)).toBe(verdict);
  });

  it("is for the administrator to say: another branch may be the one that goes on the air", () => {
    const policy = { productionBranch: "release/2", previews: "off" };

    expect(judge("refs/heads/release/2", commit, policy)).toBe("deploy");
    expect(judge("refs/heads/main", commit, policy)).toBe("store");
  });

  it.each([
    ["all", "feature/new-cart", "deploy"],
    ["all", "MAIN", "deploy"],
    ["all", "$(id)", "deploy"],
    ["off", "feature/new-cart", "store"],
    ["feature/*", "feature/new-cart", "deploy"],
    ["feature/*", "fix", "store"],
  ] as const)("with previews=%s another branch, %s: %s", (previews, branch, verdict) => {
    expect(judge(`refs/heads/${branch}`, commit, { previews })).toBe(verdict);
  });

  it.each(["all", "off", "feature/*"])(
    "a branch that goes takes its preview with it (previews=%s)",
    (previews) => {
      expect(judge("refs/heads/shop", absent, { previews })).toBe("remove");
    },
  );

  it.each([
    ["is not UTF-8, as far as it can be told", "a\ufffdb", "is not written in UTF-8"],
    ["is longer than anybody writes", "x/".repeat(201), "is longer than 400 characters"],
    ["would be two lines to some", "a\u2028b", "holds a line break"],
  ])("a branch whose name %s is refused", (_, branch, words) => {
    expect(refusalOf(() => judge(`refs/heads/${branch}`))).toMatchObject({
      code: "BRANCH_REFUSED",
      message: expect.stringContaining(words) as string,
      hint: expect.stringContaining("git push deploy HEAD:main") as string,
    });
  });

  it.each([
    "refs/notes/x",
    "refs/meta/config",
    "refs/for/main",
    `refs/replace/${commit}`,
    "refs/hidden",
    "refs/stash",
    "refs/reeve/releases/demo/x",
    "refs/remotes/origin/main",
    "refs/heads",
    "HEAD",
    "refs/Heads/main",
  ])("%s is refused, because it is neither a branch nor a tag", (ref) => {
    expect(refusalOf(() => judge(ref))).toMatchObject({
      code: "REF_REFUSED",
      message: `${ref} is neither a branch nor a tag`,
    });
  });

  it("deleting the production branch is refused, and the way to remove an app is said", () => {
    expect(refusalOf(() => judge("refs/heads/main", absent))).toMatchObject({
      code: "PRODUCTION_DELETE",
      message: "main is what demo has on the air; it cannot be deleted by a push",
      hint: "An app is removed with everything it left behind by: reeve destroy demo",
    });
  });

  it("deleting a tag is no more than storing it was", () => {
    expect(judge("refs/tags/v1.0", absent)).toBe("store");
  });
});

describe("the command that the push of another branch is told", () => {
  it("works in a shell, to the letter, whatever the branch is called", () => {
    const server = new Repository();
    const work = new Repository();
    work.run(["remote", "add", "deploy", server.folder]);
    const tips = allEvilBranches.map((_, number) => work.commit({ "app.py": `# ${number}` }));
    const refs = allEvilBranches.map(
      (branch, at) => `create refs/heads/${branch} ${tips[at] ?? ""}\n`,
    );
    work.run(["update-ref", "--stdin"], refs.join(""));

    const arrived = allEvilBranches.map((branch) => {
      const command = `git push deploy ${quotedBranch(branch)}:main --force --quiet`;
      execFileSync("sh", ["-c", command], {
        cwd: work.folder,
        stdio: "ignore",
      });
      return readFileSync(join(server.folder, "refs", "heads", "main"), "utf8").trim();
    });

    expect(arrived).toEqual(tips);
  });
});

describe("what git tells its hooks", () => {
  it("is read line by line", () => {
    expect(
      parseRefUpdates(
        `${absent} ${commit} refs/heads/main\n${commit} ${absent} refs/tags/v\u00a01\n${absent} ${commit} HEAD\n`,
      ),
    ).toEqual([
      { oldCommit: absent, newCommit: commit, ref: "refs/heads/main" },
      { oldCommit: commit, newCommit: absent, ref: "refs/tags/v\u00a01" },
      { oldCommit: absent, newCommit: commit, ref: "HEAD" },
    ]);
  });

  it("may be nothing", () => {
    expect(parseRefUpdates("\n")).toEqual([]);
  });

  it.each([
    ["an id that is short", `${commit.slice(1)} ${commit} refs/heads/main`],
    ["an id of SHA-256", `${"a".repeat(64)} ${"b".repeat(64)} refs/heads/main`],
    ["a ref with a blank", `${absent} ${commit} refs/heads/a b`],
    ["a ref that is none", `${absent} ${commit} main`],
    ["a ref that is an option", `${absent} ${commit} --force`],
    ["no ref", `${absent} ${commit} `],
    ["other words", "hello"],
    ["more words", `${absent} ${commit} refs/heads/main x`],
  ])("refuses the whole push where a line holds %s", (_, line) => {
    const text = `${absent} ${commit} refs/heads/main\n${line}\n`;

    expect(refusalOf(() => parseRefUpdates(text)).code).toBe("REF_REFUSED");
  });

  it("is not repeated at length where it cannot be read", () => {
    expect(refusalOf(() => parseRefUpdates("x".repeat(100_000))).message.length).toBeLessThan(300);
  });
});
