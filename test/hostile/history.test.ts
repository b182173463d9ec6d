import { readFileSync } from "node:fs";
import Database from "libsql";
import { afterAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { processesUnder } from "../support/processes.ts";
import { TestServer } from "../support/server.ts";
import { isLong } from "./oracle.ts";

const megabyte = 1024;
const mostMore = 20;
/** The short form has less of it: the two servers need a minute for all. */
const history = isLong
  ? { small: 100_000, largest: 2000, listed: "10000" }
  : { small: 20_000, largest: 400, listed: "3000" };

const servers: TestServer[] = [];

/** What agent and front have in memory, in megabytes. */
function memoryOf(server: TestServer): Record<"agent" | "front", number> {
  const of = (name: string): number => {
    const pid = processesUnder(server.home).find(({ title }) =>
      title.includes(`main.js ${name} `),
    )?.pid;
    const status = readFileSync(`/proc/${pid ?? 0}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / megabyte;
  };
  return { agent: of("agent"), front: of("front") };
}

/** As if an app had been deployed so often; the largest are as large as the store keeps anything. */
function deployOften(server: TestServer): void {
  const database = new Database(server.path("lib/agent/agent.db"));
  const numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)";
  const columns = `INSERT INTO deploy (app, number, instance, reason, account, ref, old_commit, new_commit, subject,
    processes, requirements, state, error, note, holder_pid, holder_start, holder_turn, started_at, live_at)`;
  const commit = "printf('%040x', i)";
  const processes = (module: string): string =>
    `json_array(json_object('type', 'web', 'kind', 'wsgi', 'module', ${module}))`;
  const at = "'2026-11-23T21:55:00.000Z'";
  const live = database.prepare(`${columns} ${numbers} SELECT 'demo', i, 'demo', 'push', 'admin',
    'refs/heads/main', ${commit}, ${commit}, 'A commit', ${processes("'app:app'")}, '', 'live', NULL, 'settled', i, i, 0, ${at}, ${at} FROM n`);
  const refused =
    database.prepare(`${columns} ${numbers} SELECT 'demo', 1000000 + i, 'demo', 'push', 'admin',
    ?2, ${commit}, ${commit}, ?3, ${processes("?6")}, ?3, 'refused', ?4, ?5, i, i, 0, ${at}, NULL FROM n`);
  const steps = database.prepare(`INSERT INTO step (deploy, position, name, detail, milliseconds)
    SELECT deploy.id, step.value, 'environment', ?1, 1 FROM deploy, json_each('[1,2,3,4,5,6,7]') AS step
    WHERE deploy.state = 'refused' OR deploy.number % 10 = 0`);
  const large = (length: number): string => "€".repeat(length);
  database.transaction(() => {
    live.run([history.small]);
    refused.run([
      history.largest,
      large(500),
      large(200),
      large(2000),
      large(300),
      `app:${"a".repeat(196)}`,
    ]);
    steps.run([large(120)]);
  })();
  database.close();
}

/** A server whose app is pushed twice, listed, rolled back and started anew; and what it has in memory by then. */
async function live(prepare: (server: TestServer) => void): Promise<ReturnType<typeof memoryOf>[]> {
  const server = await TestServer.start();
  servers.push(server);
  await server.reeve("create", "demo");
  await server.interrupt();
  prepare(server);
  await server.up();
  const measured = [memoryOf(server)];
  const demo = await server.workspace("demo", plainApp("one"));
  await demo.push();
  demo.write(plainApp("two"));
  await demo.commit("two");
  await demo.push();
  await server.settled("demo");
  for (const list of [
    ["deploys", "-n", history.listed],
    ["releases", "-n", history.listed],
    ["deploys"],
  ] as const) {
    const [command, ...flags] = list;
    expect((await server.reeve(command, "demo", ...flags, "--json")).exitCode).toBe(0);
    measured.push(memoryOf(server));
  }
  for (const command of [["previews", "demo"], ["apps"], ["reconcile"]])
    expect((await server.reeve(...command)).exitCode).toBe(0);
  const { exitCode, output } = await server.reeve("rollback", "demo");
  expect(exitCode, output).toBe(0);
  expect((await server.get("demo")).body).toBe("one");
  await server.settled("demo");
  measured.push(memoryOf(server));
  await server.interrupt();
  await server.up();
  return [...measured, memoryOf(server)];
}

afterAll(async () => {
  for (const server of servers) await server.remove();
});

describe("a long history", () => {
  it(`W4: takes no memory at the start, in lists and in rollbacks, of ${history.small} small deploys and ${history.largest} large ones`, async () => {
    const without = await live(() => undefined);
    const withMany = await live(deployOften);

    const more = withMany.map(({ agent, front }, index) => ({
      agent: agent - (without[index]?.agent ?? 0),
      front: front - (without[index]?.front ?? 0),
    }));
    for (const process of more) {
      expect(process.agent, "megabytes more in the agent").toBeLessThan(mostMore);
      expect(process.front, "megabytes more in the front").toBeLessThan(mostMore);
    }
  }, 300_000);

  it("W4: is listed whole, page by page", async () => {
    const [, server] = servers;

    const deploys = await server!.json<{ number: number }[]>("deploys", "demo", "-n", "3000");

    expect(deploys).toHaveLength(3000);
    expect(new Set(deploys.map(({ number }) => number)).size).toBe(3000);
  });
});
