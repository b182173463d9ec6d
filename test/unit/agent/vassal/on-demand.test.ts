import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  handedSocket,
  removeVassalFiles,
  withIdle,
  writeOnDemand,
} from "../../../../src/agent/vassal/on-demand.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";

describe("a vassal that sleeps", () => {
  it("gets its socket from the Emperor, and ends when nobody asks it anything", () => {
    const ini = `[uwsgi]\nhttp-socket = ${handedSocket}\nmaster = true\n`;

    expect(withIdle(ini, 600)).toBe(
      "[uwsgi]\nhttp-socket = fd://0\nidle = 600\ndie-on-idle = true\nmaster = true\n",
    );
  });

  it("is known to the Emperor by a file beside its ini, and leaves neither", async () => {
    const folder = temporaryFolder();
    const vassal = { ini: join(folder, "x--demo.rel-7.ini"), socket: join(folder, "x.sock") };

    await writeOnDemand(vassal, "[uwsgi]\n");

    expect(readFileSync(`${vassal.ini}.socket`, "utf8")).toBe(vassal.socket);
    await removeVassalFiles(vassal);
    await removeVassalFiles(vassal);
    expect(readdirSync(folder)).toEqual([]);
  });
});
