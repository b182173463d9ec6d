import { statSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { describeCommit } from "../../../../src/agent/environment/tree-contents.ts";
import { LocalSystem, type Command, type RunOptions } from "../../../../src/system/system.ts";
import { isRoot, nobody } from "../../../support/unit-identity.ts";
import { Repository } from "../../../support/unit-repository.ts";

/** Looks at the folder of each git that reads a repository of its own. */
class LookingSystem extends LocalSystem {
  readonly seen: { mode: number; uid: number }[] = [];

  override run(command: Command, options?: RunOptions): Promise<string> {
    const [, folder] = /^--git-dir=(.*reeve-tags-.*)/.exec(command.args[0] ?? "") ?? [];
    if (folder !== undefined) {
      const { mode, uid } = statSync(folder);
      this.seen.push({ mode: mode & 0o7777, uid });
    }
    return super.run(command, options);
  }
}

describe("what git says of a commit", () => {
  it("is the tag before it that looks like a version, and when it was made", async () => {
    const repository = new Repository();
    const tagged = repository.commit({ file: "one" });
    for (const tag of ["v1.2", "latest"]) repository.run(["tag", tag, tagged]);
    const commit = repository.commit({ file: "two" });

    const said = await describeCommit({ system: new LocalSystem(), git: repository.git, commit });

    expect(said).toBe(
      `node: ${commit}\nnode-date: 2023-11-14T22:13:22+00:00\ndescribe-name: v1.2-1-g${commit.slice(0, 7)}\n`,
    );
  });

  it.each([
    ["makes", ["refs/tags/v1.3", "commit"], "v1.3"],
    ["takes away", ["refs/tags/v1.2", "0".repeat(40)], "v1.1-2-g"],
  ] as const)("is what the tags will be that the same push %s", async (_, [ref, id], found) => {
    const repository = new Repository();
    for (const name of ["v1.1", "v1.2"])
      repository.run(["tag", name, repository.commit({ file: name })]);
    const commit = repository.commit({ file: "two" });
    const news = [{ ref, newCommit: id === "commit" ? commit : id }];

    const said = await describeCommit(
      { system: new LocalSystem(), git: repository.git, commit },
      news,
    );

    expect(said).toContain(`describe-name: ${found}`);
    expect(repository.run(["tag"]).trim()).toBe("v1.1\nv1.2");
  });

  it.runIf(isRoot)("is asked where nobody but git's own user can look, tags and all", async () => {
    const repository = new Repository({ owner: nobody });
    const commit = repository.commit({ file: "one" });
    const news = [{ ref: "refs/tags/v1.0", newCommit: commit }];
    const system = new LookingSystem();

    const said = await describeCommit({ system, git: repository.git, commit }, news);

    expect(said).toContain("describe-name: v1.0");
    expect(system.seen).toEqual([{ mode: 0o700, uid: nobody.uid }]);
  });
});
