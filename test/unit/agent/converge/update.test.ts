import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { push, servingWorld, type ServingWorld } from "../../../support/unit-serving.ts";

/** Each time that the Emperor has just started the permanent vassal, so often at the most, somebody removes its ini. */
async function losingIni(times: number, options = ""): Promise<ServingWorld & { starts: number }> {
  const made = await servingWorld(options);
  const seen = { starts: 0 };
  made.emperor.app = (ini) => {
    if (ini.includes(".next-")) return 200;
    seen.starts += 1;
    if (seen.starts <= times) rmSync(join(made.layout.vassals, "demo.ini"));
    return 200;
  };
  return Object.assign(seen, made);
}

const removed = "its ini was removed while it came up";

describe("a vassal whose ini goes while it comes up behind its understudy", () => {
  it("is started anew, and settles", async () => {
    const made = await losingIni(1);

    const deploy = await push(made);

    expect(deploy.note).toBe("settled");
    expect(made.starts).toBe(2);
    expect(made.emperor.running).toEqual(["demo.ini"]);
  });

  it("is left where it goes again, and the understudy goes on", async () => {
    const made = await losingIni(Infinity);

    const deploy = await push(made);

    expect(deploy.note).toBe(`degraded: ${removed}`);
    expect(made.starts).toBe(2);
    expect(made.emperor.running).toEqual(["demo.next-1.ini"]);
  });
});

describe("the same of an app that cannot run beside itself", () => {
  it("is started anew, and live", async () => {
    const made = await losingIni(1, "overlap = false");

    const deploy = await push(made);

    expect(deploy).toMatchObject({ state: "live", strategy: "restart" });
    expect(made.starts).toBe(2);
    expect(made.emperor.running).toEqual(["demo.ini"]);
  });

  it("is refused where it goes again", async () => {
    const made = await losingIni(Infinity, "overlap = false");

    const refused = push(made);

    await expect(refused).rejects.toMatchObject({ code: "APP_UNHEALTHY" });
    await expect(refused).rejects.toThrow(removed);
    expect(made.starts).toBe(2);
    expect(made.emperor.running).toEqual([]);
  });
});
