import { existsSync, statSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { changed } from "../../src/system/signature.ts";
import { evaluatingApp } from "../support/apps.ts";
import { eventually } from "../support/server.ts";
import { withApp, withServer } from "../support/with-server.ts";

interface Line {
  time: string;
  id: string;
  path: string;
  release: string;
  status: number;
  bytes_sent: number;
}

describe("an app's access log", () => {
  const server = withServer();
  const demo = withApp(server, "demo", evaluatingApp("environ.get('HTTP_X_REQUEST_ID')"));
  const file = (instance: string): string => server.path(`log/apps/${instance}.access.jsonl`);
  const site = "etc/nginx/sites-available/demo.conf";

  /** nginx writes a line when the visitor has the answer already. */
  const lineOf = async (id: string, instance = "demo"): Promise<Line> => {
    const lines = (): Line[] =>
      server
        .read(`log/apps/${instance}.access.jsonl`)
        .trimEnd()
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Line);
    await eventually(() => existsSync(file(instance)) && lines().some((line) => line.id === id));
    return lines().find((line) => line.id === id)!;
  };

  beforeAll(() => server.settled("demo"));

  it("has a line of JSON for each request, whose number the app has as well", async () => {
    const { body: id } = await server.get("demo", "/a%20b/%22c%22");

    expect(id).toMatch(/^[0-9a-f]{32}$/);
    const line = await lineOf(id);
    expect(line).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$/) as string,
      id,
      address: "127.0.0.1",
      method: "GET",
      path: "/a%20b/%22c%22",
      status: 200,
      seconds: expect.any(Number) as number,
      upstream_seconds: expect.any(Number) as number,
      bytes_received: expect.any(Number) as number,
      bytes_sent: expect.any(Number) as number,
      release: "",
    });
    expect(line.bytes_sent).toBeGreaterThan(id.length);
    expect(Math.abs(Date.parse(line.time) - Date.now())).toBeLessThan(60_000);
  });

  it("takes no number from a visitor, and nothing that stands behind a question mark", async () => {
    const forged = { "X-Request-Id": "f".repeat(32) };

    const { body: id } = await server.get("demo", "/reset?token=s3cret?x", forged);

    expect(id).not.toBe(forged["X-Request-Id"]);
    expect((await lineOf(id)).path).toBe("/reset");
    expect(server.read("log/apps/demo.access.jsonl")).not.toMatch(/s3cret|ffffffff/);
  });

  it("is JSON whatever somebody asks for", async () => {
    const host = `demo.localhost:${server.port}`;

    const { body: id } = await server.ask({ host, path: '/","status":1,\\\xe4', method: "PURGE" });

    expect(await lineOf(id)).toMatchObject({ method: "PURGE", status: 200 });
  });

  it("is printed for people, and as it is for programs, from a time on", async () => {
    const { body: id } = await server.get("demo", "/printed");
    await lineOf(id);

    const { output } = await server.reeve("logs", "demo", "--requests", "-n", "1");
    expect(output).toMatch(new RegExp(`^\\S+ \\S+ {2}200 .* GET /printed {2}${id}$`));
    const all = await server.reeve("logs", "demo", "--json", "--since", "1h");
    expect(JSON.parse(all.output.split("\n").at(-1) ?? "")).toMatchObject({ id });
    const none = await server.reeve("logs", "demo", "--requests", "--since", "2999-01-01");
    expect(none).toEqual({ exitCode: 0, output: "" });
  });

  it("leaves the app's own log with its lines of a time", async () => {
    const late = await server.reeve("logs", "demo", "--since", "1h");
    expect(late.output).toContain("GET /printed");
    const none = await server.reeve("logs", "demo", "--since", "2999-01-01");
    expect(none.exitCode).toBe(0);
    expect(none.output).not.toContain("GET /printed");
  });

  it("is closed to everybody but root and its group", () => {
    expect(statSync(file("demo")).mode & 0o777).toBe(0o640);
  });

  it("is a preview's own, with its release, and goes with it", async () => {
    await demo.git("switch", "--quiet", "--create", "work");
    await demo.push("work");

    const { body: id } = await server.get("work--demo", "/");

    const line = await lineOf(id, "work--demo");
    expect(line.release).toMatch(/^work [0-9a-f]{40}$/);
    await server.reeve("previews", "demo", "remove", "work");
    expect(existsSync(file("work--demo"))).toBe(false);
    expect(existsSync(file("demo"))).toBe(true);
  });

  it("comes to an app at the start whose server block is from before, and not to one that was edited", async () => {
    const former = (text: string): string => text.replace(/^\taccess_log .*\n/m, "");
    writeFileSync(server.path(site), changed(server.read(site), former));

    await server.interrupt();
    await server.up();
    await eventually(() => server.read(site).includes("access_log"), 30_000);
    expect(server.read("log/agent.log")).not.toContain("left as it is");

    const edited = former(server.read(site));
    writeFileSync(server.path(site), edited);
    await server.interrupt();
    await server.up();
    // At the start it may look before nginx is there.
    await server.reeve("reconcile");
    expect(server.read("log/agent.log")).toContain("left as it is");
    expect(server.read(site)).toBe(edited);
  });

  it("goes with the app", async () => {
    await server.reeve("destroy", "demo", "--yes");

    expect(existsSync(file("demo"))).toBe(false);
  });
});
