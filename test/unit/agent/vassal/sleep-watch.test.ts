import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { SleepWatch } from "../../../../src/agent/vassal/sleep-watch.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";

/** As the Emperor: it has a child that has ended, and ends itself with a word when it is told of that. */
const emperor = `
  $0 = 'uwsgi';
  $SIG{WINCH} = sub { print "told"; exit };
  exit unless fork;
  $| = 1;
  sleep 1 while 1;
`;

describe("the watch over previews that fall asleep", () => {
  it("looks by itself where the system lets it watch nothing", async () => {
    const folder = temporaryFolder();
    const running = spawn("perl", ["-e", emperor], { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void running.kill("SIGKILL"));
    const said = text(running.stdout);
    const pidFile = join(folder, "emperor.pid");
    writeFileSync(pidFile, `${running.pid ?? 0}\n`);
    const errors: unknown[] = [];
    const places = { pidFile, statsSocket: join(folder, "none"), pauses: join(folder, "none") };
    const watch = new SleepWatch(places, (error) => errors.push(error));
    onTestFinished(() => watch.stop());

    watch.start(true);

    expect(await said).toBe("told");
    expect(errors).toMatchObject([{ code: "ENOENT" }]);
  });
});
