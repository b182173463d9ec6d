import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { renameFormerSettings } from "../../../../src/agent/reconcile/former-settings.ts";
import type { Layout } from "../../../../src/config/layout.ts";
import { isUntouched, sign } from "../../../../src/system/signature.ts";
import { agentWorld, type AgentWorld } from "../../../support/unit-agent.ts";

const long = 1_600_000_000;

function write(folder: string, values: Record<string, string>): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, value] of Object.entries(values)) writeFileSync(join(folder, name), value);
}

function iniText({ apps }: Layout, folder: string, lines = ""): string {
  return `; demo
; Written by reeve (unsigned). Edit it.
[uwsgi]
; The settings and what reeve says of the release, one file each, and the one folder that the app may write.
envdir = ${apps}/${folder}
env = REEVE_DATA=/srv/demo/data
${lines}`;
}

function writeIni({ vassals }: Layout, name: string, text: string): void {
  writeFileSync(join(vassals, name), text, { mode: 0o640 });
  utimesSync(join(vassals, name), long, long + 0.5);
}

/** A server that knew settings: an app with an understudy and a held ini, and a preview of it. */
function formerWorld(): AgentWorld {
  const world = agentWorld();
  const { layout } = world;
  const demo = join(layout.apps, "demo");
  write(join(demo, "settings"), { A: "1" });
  write(join(demo, "settings.next-7"), { A: "2" });
  write(join(demo, "preview-settings"), { A: "3" });
  writeFileSync(join(demo, "vassal.local.ini"), "[uwsgi]\n");
  write(join(layout.apps, "cart--demo", "settings"), { A: "3" });
  writeFileSync(join(layout.apps, "demo.toml"), "");
  writeIni(layout, "demo.ini", sign(iniText(layout, "%n/settings")));
  writeIni(layout, "demo.ini.held", iniText(layout, "%n/settings", "; mine\n"));
  writeIni(layout, "demo.next-7.ini", iniText(layout, "demo/settings.next-7"));
  writeIni(layout, "cart--demo.rel-5.ini", iniText(layout, "cart--demo/settings"));
  return world;
}

function expectPresentNames({ layout: { apps, vassals } }: AgentWorld): void {
  expect(readdirSync(join(apps, "demo")).sort()).toEqual(
    ["preview-variables", "variables", "variables.next-7", "vassal.local.ini"].sort(),
  );
  expect(readFileSync(join(apps, "demo", "variables", "A"), "utf8")).toBe("1");
  expect(readFileSync(join(apps, "demo", "variables.next-7", "A"), "utf8")).toBe("2");
  expect(readFileSync(join(apps, "demo", "preview-variables", "A"), "utf8")).toBe("3");
  expect(readdirSync(join(apps, "cart--demo"))).toEqual(["variables"]);
  const named = readdirSync(vassals).map((name): [string, unknown] => [
    name,
    /^envdir = (.*)$/m.exec(readFileSync(join(vassals, name), "utf8"))?.[1],
  ]);
  expect(Object.fromEntries(named)).toEqual({
    "demo.ini": `${apps}/%n/variables`,
    "demo.ini.held": `${apps}/%n/variables`,
    "demo.next-7.ini": `${apps}/demo/variables.next-7`,
    "cart--demo.rel-5.ini": `${apps}/cart--demo/variables`,
  });
}

describe("a server from when variables were called settings", () => {
  it("has its folders renamed, and all inis name them", async () => {
    const world = formerWorld();

    await renameFormerSettings(world.context);

    expectPresentNames(world);
  });

  it("has its inis as they were but for that: untouched or edited, with their times and modes", async () => {
    const { context, layout } = formerWorld();
    const textOf = (name: string): string => readFileSync(join(layout.vassals, name), "utf8");
    const edited = textOf("demo.ini.held");

    await renameFormerSettings(context);

    expect(isUntouched(textOf("demo.ini"))).toBe(true);
    expect(isUntouched(textOf("demo.ini.held"))).toBe(false);
    expect(textOf("demo.ini.held")).toBe(
      edited.replace("%n/settings", "%n/variables").replace("The settings", "The variables"),
    );
    for (const name of readdirSync(layout.vassals)) {
      const { mtimeMs, mode } = statSync(join(layout.vassals, name));
      expect([name, Math.floor(mtimeMs / 1000), mode & 0o777]).toEqual([name, long, 0o640]);
    }
  });

  it.each(["settings", "settings.next-7", "preview-settings"])(
    "is brought to the end where a stop left %s to be renamed, and the inis",
    async (name) => {
      const world = formerWorld();
      await renameFormerSettings(world.context);
      const { apps, vassals } = world.layout;
      // As it was before, where a rename was not reached; the inis come after all of them.
      renameSync(
        join(apps, "demo", name.replace("settings", "variables")),
        join(apps, "demo", name),
      );
      for (const ini of readdirSync(vassals)) {
        const text = readFileSync(join(vassals, ini), "utf8");
        writeFileSync(join(vassals, ini), text.replace("/variables", "/settings"));
      }

      await renameFormerSettings(world.context);

      expectPresentNames(world);
    },
  );

  it("keeps the variables that are there already, and the other apps are renamed all the same", async () => {
    const { context, layout } = formerWorld();
    write(join(layout.apps, "cart--demo", "variables"), { A: "new" });

    await renameFormerSettings(context);

    const value = join(layout.apps, "cart--demo", "variables", "A");
    expect(readFileSync(value, "utf8")).toBe("new");
    expect(readdirSync(join(layout.apps, "demo"))).toContain("variables");
  });

  it("loses nothing that somebody put beside: links, other folders, lines of their own", async () => {
    const { context, layout } = formerWorld();
    const { apps, vassals } = layout;
    mkdirSync(join(vassals, "folder.ini"));
    symlinkSync("/nowhere", join(vassals, "dangling.ini"));
    symlinkSync("/nowhere", join(apps, "elsewhere"));
    mkdirSync(join(apps, "demo", "settings.mine"));
    const own = iniText(layout, "demo/settings.mine", `envdir = /etc/demo/settings\n`);
    writeIni(layout, "demo.ini.held", own);

    await renameFormerSettings(context);

    expect(readFileSync(join(vassals, "demo.ini.held"), "utf8")).toBe(
      own.replace("The settings", "The variables"),
    );
    expect(readdirSync(join(apps, "demo"))).toContain("settings.mine");
  });

  it("is left alone the second time", async () => {
    const { context, layout } = formerWorld();
    await renameFormerSettings(context);
    const files = (): number[] =>
      readdirSync(layout.vassals).map((name) => statSync(join(layout.vassals, name)).ino);
    const before = files();

    await renameFormerSettings(context);

    expect(files()).toEqual(before);
  });
});
