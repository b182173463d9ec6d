import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { LocalSystem } from "../../../../src/system/system.ts";
import { subjectOf } from "../../../../src/front/push/subject.ts";
import { CommitTree } from "../../../../src/front/push/tree.ts";
import { sharedFolder } from "../../../support/unit-folder.ts";
import { Repository } from "../../../support/unit-repository.ts";

describe("a commit's subject", () => {
  const repository = new Repository({ folder: sharedFolder() });

  it.each([
    "Say hello in French",
    "Say hello\nin two lines\n\nand why",
    "\n\n  Late  \n \nand why",
    "Grüße aus Köln",
    "",
    "\n",
    "tree 1234\n\nnot a header",
    "encoding nonsense\n\nneither",
  ])("is git's: %j", async (message) => {
    const commit = repository.commit({ "app.py": message }, message);
    const tree = await CommitTree.open(new LocalSystem(), repository.git, commit);

    const ofGit = repository.run(["log", "-1", "--format=%s", commit]);
    expect(tree.subject).toBe(ofGit.trim());
  });

  it("is read in the encoding that the commit names", () => {
    const words = ["-c", "i18n.commitEncoding=ISO-8859-1", "commit-tree", "-F", "-"];
    const commit = execFileSync("git", [...words, "4b825dc642cb6eb9a060e54bf8d69288fbee4904"], {
      cwd: repository.folder,
      input: Buffer.from("Gr\u00fc\u00dfe", "latin1"),
      env: {
        ...process.env,
        GIT_AUTHOR_NAME: "a",
        GIT_AUTHOR_EMAIL: "a",
        GIT_COMMITTER_NAME: "a",
        GIT_COMMITTER_EMAIL: "a",
      },
      encoding: "utf8",
    }).trim();
    const raw = execFileSync("git", ["cat-file", "commit", commit], { cwd: repository.folder });

    expect(raw.includes("encoding ISO-8859-1")).toBe(true);
    expect(subjectOf(raw)).toBe("Grüße");
  });

  it("is fit to be shown: short, in one line, without quotes and control characters", () => {
    const commit = (message: string) => Buffer.from(`tree ${"a".repeat(40)}\n\n${message}`);

    expect(subjectOf(commit('Say "hello"'))).toBe("Say 'hello'");
    expect(subjectOf(commit("\u001b[2Jgone"))).not.toContain("\u001b");
    expect(subjectOf(commit("x".repeat(100)))).toBe(`${"x".repeat(71)}…`);
    expect(subjectOf(Buffer.from("no message"))).toBe("");
  });
});
