import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { environmentPath } from "../../../../src/names/instance.ts";
import { beginEarly } from "../../../../src/agent/environment/begin.ts";
import { reclaim } from "../../../../src/agent/environment/workshop.ts";
import { build, builder, demo, one } from "../../../support/unit-environment.ts";
import { isRoot } from "../../../support/unit-identity.ts";

describe.runIf(isRoot)("what is laid out before it is known what begins with it", () => {
  it("is the basis, where the builder cannot come, and goes with what a crash leaves", async () => {
    const context = demo('mkdir "$3/bin" && touch "$3/bin/python"');
    await build(context);
    const workshops = join(context.paths.environments, ".cache");

    const beginning = await beginEarly(context, one, "7");

    const [file, sealed] = [
      join(beginning?.folder ?? "", one),
      environmentPath(context.paths, one),
    ].map((path) => statSync(join(path, "bin/python")).ino);
    expect(file).toBe(sealed);
    const look = { file: "ls", args: [join(beginning?.folder ?? "", one)], as: builder };
    await expect(context.system.run(look)).rejects.toThrow("Permission denied");
    await reclaim(context, [context.paths.environments]);
    expect(readdirSync(workshops)).toEqual([String(builder.uid)]);
  });

  it("is nothing where there is no such basis", async () => {
    const context = demo("true");

    expect(await beginEarly(context, one, "7")).toBeUndefined();

    expect(readdirSync(join(context.paths.environments, ".cache"))).toEqual([]);
  });
});
