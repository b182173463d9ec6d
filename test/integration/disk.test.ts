import { chmodSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { DiskUse } from "../../src/protocol/readings.ts";
import { plainApp } from "../support/apps.ts";
import { withApp, withServer } from "../support/with-server.ts";

const mebibyte = 2 ** 20;

describe("what an app takes on the disk", () => {
  const server = withServer();
  const demo = withApp(server, "demo", {
    ...plainApp("one"),
    "large.bin": "x".repeat(2 * mebibyte),
    "changes.bin": "x".repeat(mebibyte),
  });
  beforeAll(() => server.settled("demo"));

  const use = async (): Promise<(DiskUse & { app: string })[]> => server.json("disk", "demo");

  /** Beside what counts, some folders come and go with each deploy. */
  const expectAbout = (size: number | null | undefined, bytes: number): void => {
    expect(size).toBeGreaterThanOrEqual(bytes);
    expect(size).toBeLessThan(bytes + 0.5 * mebibyte);
  };

  it("is its release at first, of which nothing may go", async () => {
    const [app, ...others] = await use();

    expect(others).toEqual([]);
    expect(app).toMatchObject({ app: "demo", of: "app" });
    expectAbout(app?.releases, 3 * mebibyte);
    expectAbout(app?.data, 0);
    expectAbout(app?.mayGo, app?.caches ?? 0);
    expect(app?.environments).toBeGreaterThan(0);
    expect(app?.repository).toBeGreaterThan(0);
    expect(app?.logs).toBeGreaterThan(0);
  });

  it("is of the next release what changed, and of the former one what changed may go", async () => {
    const [before] = await use();

    await demo.deploy({ "changes.bin": "y".repeat(mebibyte) }, "Two");
    await server.settled("demo");

    const [app] = await use();
    expectAbout((app?.releases ?? 0) - (before?.releases ?? 0), mebibyte);
    expectAbout((app?.mayGo ?? 0) - (before?.mayGo ?? 0), mebibyte);
  });

  it("is what it keeps in its data, also where it has closed a folder to itself", async () => {
    const folder = server.path("srv/demo/data/closed");
    mkdirSync(folder);
    writeFileSync(join(folder, "kept"), "x".repeat(mebibyte));

    chmodSync(folder, 0);

    expectAbout((await use())[0]?.data, mebibyte);
    expect(statSync(folder).mode & 0o777).toBe(0);
  });

  it("stands apart from what its previews take", async () => {
    await demo.git("switch", "--quiet", "--create", "work");
    await demo.push("work");
    writeFileSync(server.path("srv/work--demo/data/kept"), "x".repeat(2 * mebibyte));

    const [app, previews] = await use();

    expectAbout(app?.data, mebibyte);
    expect(previews).toMatchObject({ app: "demo", of: "previews", repository: 0 });
    expectAbout(previews?.data, 2 * mebibyte);
    expect(previews?.environments).toBeGreaterThan(0);
  });

  it("is also what a first push has left that failed", async () => {
    const broken = await server.workspace("broken", {
      "app.py": "raise SystemExit",
      "requirements.txt": "six\n",
    });
    const { exitCode, output } = await broken.push();
    expect(exitCode, output).toBe(1);

    const [left] = await server.json<DiskUse[]>("disk", "broken");

    expect(left?.environments).toBeGreaterThan(0);
    expect(left?.mayGo).toBeGreaterThanOrEqual(left?.environments ?? 0);
    await server.reeve("destroy", "broken", "--yes");
  });

  it("is listed for every app that one may read, in sizes for people", async () => {
    await server.reeve("create", "empty");

    const { output } = await server.reeve("disk");

    const [head, ...rows] = output.split("\n");
    expect(head).toMatch(/^APP +RELEASES +ENVIRONMENTS +CACHES +DATA +LOGS +REPOSITORY +MAY GO$/);
    expect(rows.map((row) => row.split(/  +/)[0])).toEqual(["demo", "demo, previews", "empty"]);
    expect(rows[0]).toMatch(/^demo  +4(\.\d)? MiB .* 1(\.\d)? MiB$/);
    expect(rows[2]).toMatch(/^empty  +0 B .* 0 B$/);
  });

  it("says so where there is no such app", async () => {
    const { exitCode, output } = await server.reeve("disk", "absent");

    expect(exitCode).toBe(1);
    expect(output).toContain("error[APP_UNKNOWN]: there is no app absent");
  });
});
