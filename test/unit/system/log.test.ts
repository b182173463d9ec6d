import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openLog } from "../../../src/system/log.ts";
import { CommandFailed } from "../../../src/system/system.ts";
import { temporaryFolder } from "../../support/unit-folder.ts";

describe("a log", () => {
  it("has a line of JSON for each event, with what went wrong", () => {
    const path = join(temporaryFolder(), "agent.log");
    const descriptor = openSync(path, "a");

    openLog("agent", descriptor).error({ err: new Error("no") }, "could not");
    closeSync(descriptor);

    const [line = ""] = readFileSync(path, "utf8").split("\n");
    expect(JSON.parse(line)).toMatchObject({
      name: "agent",
      msg: "could not",
      err: { message: "no" },
    });
  });

  it("says of a command that failed what it printed, and nothing of what it was given", () => {
    const path = join(temporaryFolder(), "agent.log");
    const descriptor = openSync(path, "a");
    const command = {
      ...{ file: "tee", args: ["--", "variables.json"], input: '{"PASSWORD":"secret"}' },
      env: { UV_DEFAULT_INDEX: "https://shop:secret@example.org/simple" },
    };
    const how = { output: "tee: no space", exitCode: 1, timedOut: false };

    openLog("agent", descriptor).error({ err: new CommandFailed(command, how) }, "could not");
    closeSync(descriptor);

    const line = readFileSync(path, "utf8");
    expect(line).toContain("tee: no space");
    expect(line).not.toContain("secret");
  });

  it("ends nobody where it cannot be written", () => {
    const full = openSync("/dev/full", "w");
    const log = openLog("agent", full);

    // In the call itself: it is written at once.
    for (let line = 0; line < 10_000; line += 1)
      expect(() => log.info("a line that nobody keeps")).not.toThrow();

    closeSync(full);
  });
});
