import { closeSync, openSync, readFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openLog } from "../../../src/system/log.ts";
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

  it("ends nobody where it cannot be written", async () => {
    const full = openSync("/dev/full", "w");
    const log = openLog("agent", full);

    for (let line = 0; line < 10_000; line += 1) log.info("a line that nobody keeps");
    await turn();

    closeSync(full);
  });
});
