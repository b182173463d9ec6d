import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { projectRoot } from "../support/server.ts";
import { withServer, withWorkspace } from "../support/with-server.ts";

const nobody = 65534;
const isRoot = process.getuid?.() === 0;
/** A checkout below a folder that is closed to others cannot be run by one of them. */
const isOpen = folders(projectRoot).every((folder) => (statSync(folder).mode & 0o001) !== 0);

describe.runIf(isRoot && isOpen)("without root", () => {
  const server = withServer([], { user: nobody });
  const demo = withWorkspace(server, "demo", plainApp("one"));

  it("the server says that nothing keeps the apps apart", () => {
    expect(server.said).toContain("nothing keeps them apart");
  });

  it("a first push, a change and a mistake end as they do with root", async () => {
    const first = await demo.push();
    expect(first.exitCode, first.output).toBe(0);
    expect((await server.get("demo")).body).toBe("one");

    const change = await demo.deploy(plainApp("two"));
    expect(change.exitCode, change.output).toBe(0);
    const mistake = await demo.deploy({ "app.py": "import nosuch\n" });
    expect(mistake.exitCode).toBe(1);

    expect((await server.get("demo")).body).toBe("two");
    await server.settled("demo");
    expect((await server.get("demo")).body).toBe("two");
  });

  it("a release is closed to writing", async () => {
    const release = server.path("srv/demo/releases", (await demo.remoteCommit()).trim());
    // What comes next has been laid out from it.
    await server.tidied();

    expect(statSync(release).mode & 0o222).toBe(0);
    expect(statSync(join(release, "app.py")).mode & 0o222).toBe(0);
  });

  it("a rollback builds nothing, and a change after it works", async () => {
    const { exitCode, output } = await server.reeve("rollback", "demo");
    expect(exitCode, output).toBe(0);
    expect((await server.get("demo")).body).toBe("one");

    const push = await demo.deploy(plainApp("three"));

    expect(push.exitCode, push.output).toBe(0);
    expect((await server.get("demo")).body).toBe("three");
  });

  it("the next start brings the app back", async () => {
    await server.interrupt();
    await server.up();

    expect((await server.get("demo")).body).toBe("three");
  });

  it("destroy leaves nothing behind", async () => {
    const { exitCode, output } = await server.reeve("destroy", "demo", "--yes");

    expect(exitCode, output).toBe(0);
    expect(readdirSync(server.path("srv"))).toEqual([]);
    expect(readdirSync(server.path("etc/vassals"))).toEqual([]);
  });
});

function folders(path: string): string[] {
  const parts = path.split("/").filter(Boolean);
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join("/")}`);
}
