import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { boundCaches, workshopsOf } from "../../../../src/agent/environment/workshop.ts";
import {
  CommandFailed,
  LocalSystem,
  type Command,
  type RunOptions,
} from "../../../../src/system/system.ts";
import { build, demo } from "../../../support/unit-environment.ts";

/** Installers that leave a mebibyte, and not where it belongs. */
const leaving = `case "$*" in *venv*) mkdir -p "$3/bin" "$HOME/../left/over"; cp "$0" "$3/bin/python"
head -c 1048576 /dev/zero > "$HOME/../left/over/file" ;; esac`;

/** It takes its time where a tree is measured. */
class SlowSystem extends LocalSystem {
  override run(command: Command, options?: RunOptions): Promise<string> {
    if (command.input?.startsWith("measure") !== true) return super.run(command, options);
    return Promise.reject(new CommandFailed(command, { output: "", timedOut: true }));
  }
}

describe("what a build leaves beside the environment", () => {
  async function leftOf(most: number, system = new LocalSystem()): Promise<string[]> {
    const context = demo(leaving, system);
    await build(context);
    const { environments } = context.paths;
    await boundCaches(context, environments, most);
    const left = readdirSync(workshopsOf(environments), { recursive: true, encoding: "utf8" });
    return left.filter((path) => path.endsWith("left/over/file"));
  }

  it("stays up to so many bytes, and goes wherever it is", async () => {
    expect(await leftOf(2 * 2 ** 20)).toHaveLength(1);
    expect(await leftOf(2 ** 19)).toEqual([]);
  });

  it("goes where it cannot be counted soon", async () => {
    expect(await leftOf(2 ** 40, new SlowSystem())).toEqual([]);
  });
});
