import { chmodSync, utimesSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { eventually, type TestServer } from "../support/server.ts";
import { withApp, withServer } from "../support/with-server.ts";

describe("previews have an end", () => {
  const server = withServer();
  const demo = withApp(server, "demo", plainApp("production"));

  const branches = async (): Promise<string[]> =>
    (await server.command("previews", { app: "demo" })).map(({ branch }) => branch).sort();

  beforeAll(async () => {
    await server.reeve("options", "demo", "set", "preview_limit=3");
    for (const name of ["old", "pinned", "visited"]) {
      await demo.push(`main:refs/heads/${name}`);
      await server.asleepAfterPush(`${name}--demo`);
    }
  });

  it("they are listed, with where they are and until when", async () => {
    const { exitCode, output } = await server.reeve("previews", "demo");

    expect(exitCode, output).toBe(0);
    expect(output).toMatch(/^old +asleep +[0-9a-f]{7} /m);
    expect(output).toContain(`http://old--demo.localhost:${server.port}/`);
  });

  it("whoever is over the limit is told which to give up, and that works", async () => {
    await server.reeve("previews", "demo", "pin", "old");
    await server.get("visited--demo");

    const push = await demo.push("main:refs/heads/one-more");

    expect(push.exitCode).toBe(1);
    expect(push.output).toContain("error[PREVIEW_LIMIT]: demo has 3 previews, and 3 are the most");
    expect(push.output).toContain("git push deploy :pinned");
    expect((await server.get("one-more--demo")).status).toBe(404);
    // A preview that stands may be pushed at the limit as well.
    await demo.commit("Again");
    expect((await demo.push("main:old")).exitCode).toBe(0);
    await demo.push(":pinned");
    const next = await demo.push("main:refs/heads/one-more");
    expect(next.exitCode, next.output).toBe(0);
    expect(await branches()).toEqual(["old", "one-more", "visited"]);
  });

  it("one is removed by command with its branch, so that the next push brings it back", async () => {
    const removal = await server.reeve("previews", "demo", "remove", "one-more");

    expect(removal.exitCode, removal.output).toBe(0);
    expect(removal.output).toContain(`http://one-more--demo.localhost:${server.port}/`);
    expect(await demo.remoteCommit("refs/heads/one-more")).toBe("");
    const push = await demo.push("main:refs/heads/one-more");
    expect(push.exitCode, push.output).toBe(0);
    expect((await server.get("one-more--demo")).body).toBe("production");
    const unknown = await server.reeve("previews", "demo", "remove", "nothing");
    expect(unknown.output).toContain("error[PREVIEW_UNKNOWN]");
  });

  it("after days without a push or a visit they go, but for those that are pinned", async () => {
    await server.asleepAfterPush("one-more--demo");
    await server.reeve("previews", "demo", "unpin", "old");
    await server.reeve("previews", "demo", "pin", "one-more");
    await server.interrupt();
    const soon = Date.now() / 1000 + 10 * 24 * 3600;
    // The visit of ten days from now, as the log will show it.
    utimesSync(server.path("log/apps/visited--demo.log"), soon, soon);

    await server.up({ PATH: `${movedClock(server, "+15d")}:${process.env["PATH"] ?? ""}` });

    await eventually(async () => !(await branches()).includes("old"), 30_000);
    expect(await branches()).toEqual(["one-more", "visited"]);
    expect(await demo.remoteCommit("refs/heads/old")).toBe("");
    expect((await server.get("old--demo")).status).toBe(404);
    expect((await server.get("visited--demo")).status).toBe(200);
    const [record] = await server.json<{ state: string; ref: string; subject: string }[]>(
      "deploys",
      "demo",
    );
    expect(record).toMatchObject({
      state: "removed",
      ref: "refs/heads/old",
      subject: "14 days without a push or a visit",
    });
  });

  it("a branch that is not meant any more loses its preview and keeps its name", async () => {
    await server.interrupt();
    await server.write("etc/apps/demo.toml", 'previews = "one-*"\n');
    await server.up();

    await eventually(async () => !(await branches()).includes("visited"), 30_000);

    expect(await demo.remoteCommit("refs/heads/visited")).not.toBe("");
    expect(await branches()).toEqual(["one-more"]);
    const push = await demo.push("main:refs/heads/visited-again");
    expect(push.exitCode, push.output).toBe(0);
    expect(push.output).toContain("visited-again is kept, and not on the air");
    const gone = await demo.push(":visited-again");
    expect(gone.exitCode, gone.output).toBe(0);
  });
});

/** A folder with a `setpriv` that starts the agent, and nothing else, at another time. */
function movedClock(server: TestServer, by: string): string {
  const folder = server.workspaces;
  writeFileSync(
    `${folder}/setpriv`,
    `#!/bin/sh
case "$*" in
*"main.js agent"*)
  for library in /usr/lib/*/faketime/libfaketime.so.1; do export LD_PRELOAD="$library"; done
  export FAKETIME=${by} FAKETIME_DONT_FAKE_MONOTONIC=1
  ;;
esac
exec /usr/bin/setpriv "$@"
`,
  );
  chmodSync(`${folder}/setpriv`, 0o755);
  return folder;
}
