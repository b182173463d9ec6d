import { describe, expect, it } from "vitest";
import { describeCommit } from "../../../src/environment/tree-contents.ts";
import { LocalHost } from "../../../src/host/host.ts";
import { Repository } from "../../support/unit-repository.ts";

describe("what git says of a commit", () => {
  it("is the tag before it that looks like a version, and when it was made", async () => {
    const repository = new Repository();
    const tagged = repository.commit({ file: "one" });
    for (const tag of ["v1.2", "latest"]) repository.run(["tag", tag, tagged]);
    const commit = repository.commit({ file: "two" });

    const said = await describeCommit({ host: new LocalHost(), git: repository.git, commit });

    expect(said).toBe(
      `node: ${commit}\nnode-date: 2023-11-14T22:13:22+00:00\ndescribe-name: v1.2-1-g${commit.slice(0, 7)}\n`,
    );
  });
});
