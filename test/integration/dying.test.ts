import { beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { Dying } from "../support/dying.ts";
import { eventually } from "../support/server.ts";
import { Visitors } from "../support/visitors.ts";
import { withApp, withServer } from "../support/with-server.ts";

/** `ROUNDS=all` waits in real time; otherwise all pauses are a twentieth. */
const isLong = process.env["ROUNDS"] !== undefined;
const first = isLong ? 1000 : 50;
/** Milliseconds of the longest pause. */
const longest = 60 * first;
/** Milliseconds in which one that dies at once is started at 0, 1, 3, 7 and 15 times the first pause. */
const watched = 16 * first;

describe.runIf(process.getuid?.() === 0)("an app that dies at its start, again and again", () => {
  const server = withServer([`restart_pause = ${first}`], { visited: true });
  withApp(server, "good", plainApp("good"));
  let dying: Dying;

  beforeAll(async () => {
    dying = new Dying(server);
    await server.settled("good");
  });

  it.each([
    [1, "with the agent"],
    [2, "with the agent"],
    [isLong ? 50 : 20, "with the agent"],
    [2, "without the agent"],
  ])("is held back longer each time: %i of them, %s", async (count, how) => {
    const agent = server.servicePid("agent");
    if (how === "without the agent") process.kill(agent, "SIGSTOP");
    const visitors = new Visitors(server, "good");
    visitors.come(20, "good");
    const names = dying.start(count);
    const began = Date.now();

    await eventually(() => names.every((name) => dying.starts(name) >= 4), 60_000);
    await eventually(() => Date.now() - began > watched, 60_000);

    const { failed } = await visitors.leave();
    dying.end(names);
    process.kill(agent, "SIGCONT");
    expect(failed, "what a healthy app's visitors noticed").toEqual([]);
    for (const name of names) {
      let deaths = 0;
      for (const pause of dying.pauses(name)) {
        deaths += 1;
        // What the hook measures, and what the app does, begins a moment later each time.
        expect(pause, `${name}, after ${deaths} deaths`).toBeGreaterThan(
          Math.min(2 ** (deaths - 1) * first, longest) * 0.9,
        );
        // Whoever lived that long is no more held back; on a busy machine a boot alone takes longer than a short pause.
        if (pause > longest * 0.9) deaths = 0;
      }
    }
  });
});

describe.runIf(process.getuid?.() === 0)("one that is held back for long", () => {
  const server = withServer(["restart_pause = 60000"]);
  let dying: Dying;

  beforeAll(() => {
    dying = new Dying(server);
  });

  it("starts at once when its ini is touched, as somebody has mended it", async () => {
    const [name = ""] = dying.start(1);
    await eventually(() => /ended soon after its start/.test(server.read("log/emperor.log")));
    expect(dying.starts(name)).toBe(1);

    dying.mend();
    dying.touch(name);

    await eventually(() => dying.starts(name) > 1, 2000);
    dying.end([name]);
  });

  it("is replaced at once by a push", async () => {
    const flag =
      "if os.path.exists(os.path.join(os.environ['REEVE_DATA'], 'broken')): raise SystemExit(1)";
    const fragile = { "app.py": `import os\n${flag}\n${plainApp("one")["app.py"] ?? ""}` };
    const app = await server.workspace("fragile", fragile);
    await app.push();
    await server.settled("fragile");
    await server.write("srv/fragile/data/broken", "");
    for (const pid of server.processesOf("fragile")) process.kill(pid, "SIGKILL");
    await eventually(() => /fragile.ini ended soon/.test(server.read("log/emperor.log")));

    const { exitCode, output } = await app.deploy(plainApp("mended"));

    expect(exitCode, output).toBe(0);
    expect((await server.get("fragile")).body).toBe("mended");
    await server.settled("fragile");
    expect((await server.get("fragile")).body).toBe("mended");
  });

  it("is never a preview that wakes again and again", async () => {
    const app = await server.workspace("sleepy", plainApp("production"));
    await app.push();
    await server.reeve("options", "sleepy", "set", "preview_idle=1");
    await app.deploy(plainApp("awake"));
    expect((await app.push("HEAD:refs/heads/look")).exitCode).toBe(0);
    await server.asleepAfterPush("look--sleepy");

    for (let turn = 0; turn < (isLong ? 20 : 2); turn += 1) {
      expect((await server.get("look--sleepy")).body).toBe("awake");
      await eventually(() => server.processesOf("look--sleepy").length === 0, 20_000);
    }

    expect(server.read("log/emperor.log")).not.toMatch(/look--sleepy.*ended soon/);
  });
});
