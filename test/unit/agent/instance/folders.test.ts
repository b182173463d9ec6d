import { statSync, writeFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { provideFolders } from "../../../../src/agent/instance/folders.ts";
import { pathsOf } from "../../../../src/agent/world/context.ts";
import { agentWorld } from "../../../support/unit-agent.ts";
import { isRoot, nobody } from "../../../support/unit-identity.ts";

describe("an instance's folders", () => {
  it("are closed to others, who only pass through to what is theirs", async () => {
    const { context } = agentWorld();

    await provideFolders(context, "demo");

    const { folder, own, releases, environments, data, variables } = pathsOf(context, "demo");
    const modes = [folder, own, releases, environments, data, variables].map((path) =>
      (statSync(path).mode & 0o777).toString(8),
    );
    expect(modes).toEqual(["751", "751", "750", "751", "750", "750"]);
  });

  it("keep what is in them when they are asked for again", async () => {
    const { context } = agentWorld();
    await provideFolders(context, "demo");
    const { data, variables } = pathsOf(context, "demo");
    const kept = [join(data, "photo"), join(variables, "COLOUR")];
    for (const path of kept) writeFileSync(path, "");

    await provideFolders(context, "demo");

    expect(kept.filter((path) => existsSync(path))).toEqual(kept);
  });

  it.runIf(isRoot)("are root's, and the data alone is the app's", async () => {
    const { context } = agentWorld();
    Object.assign(context, { system: { ...context.system, isRoot: true } });
    context.store.users.keepAppUser(nobody, "demo", false);

    await provideFolders(context, "demo");

    const { folder, releases, data } = pathsOf(context, "demo");
    const owners = [folder, releases, data].map((path) => statSync(path));
    expect(owners.map(({ uid, gid }) => [uid, gid])).toEqual([
      [0, 0],
      [0, nobody.gid],
      [nobody.uid, nobody.gid],
    ]);
  });
});
