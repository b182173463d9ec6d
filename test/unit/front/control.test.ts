import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Database from "libsql";
import { describe, expect, it, onTestFinished } from "vitest";
import { pino } from "pino";
import { z } from "zod";
import { AgentClient } from "../../../src/protocol/client.ts";
import { controlListener, type Control } from "../../../src/front/control.ts";
import { Rights } from "../../../src/front/accounts/rights.ts";
import { answerVerbs, callVerb, listenOn, verbServer } from "../../../src/protocol/channel.ts";
import { FrontStore } from "../../../src/front/store/store.ts";
import { temporaryFolder } from "../../support/unit-folder.ts";

/** The front's control socket, over a store of its own and an agent that has a log, and counts files, without an end. */
async function listening(
  onChange: () => void = () => undefined,
  onCounting: (what: "begun" | "left") => void = () => undefined,
): Promise<{ path: string; database: string; store: FrontStore }> {
  const folder = temporaryFolder();
  const database = join(folder, "front.db");
  const store = new FrontStore(database, { days: 1, onChange });
  onTestFinished(() => store.close());
  const log = pino({ level: "silent" });
  const agent = {
    input: z.looseObject({}),
    run: async (_: object, { say, gone }: { say: (line: string) => void; gone: AbortSignal }) => {
      say("the first line");
      await new Promise((resolve) => gone.addEventListener("abort", resolve));
    },
  };
  const counting = {
    input: z.looseObject({}),
    run: async (_: object, { gone }: { gone: AbortSignal }) => {
      onCounting("begun");
      await new Promise((resolve) => gone.addEventListener("abort", resolve));
      onCounting("left");
    },
  };
  const control: Partial<Control> = {
    ...{ store, log, rights: new Rights(store) },
    agent: new AgentClient(join(folder, "agent.sock")),
  };
  const servers = {
    "agent.sock": verbServer(answerVerbs({ logs: agent, disk: counting }, () => undefined)),
    "control.sock": verbServer(controlListener(control as Control)),
  };
  for (const [name, server] of Object.entries(servers)) {
    await listenOn(server, join(folder, name));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
  }
  return { path: join(folder, "control.sock"), database, store };
}

function statusOf(path: string, address: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    httpRequest({ socketPath: path, path: address, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    })
      .on("error", reject)
      .end();
  });
}

describe("the control socket", () => {
  it("ends a log that is followed, and nothing else, where the right to it can be judged no more", async () => {
    const { path, database } = await listening();
    const lines: string[] = [];
    const following = callVerb(
      path,
      "logs",
      { app: "demo", lines: 0, follow: true },
      { whenDown: "the front is gone", onLine: (line) => lines.push(line) },
    );
    while (lines.length === 0) await sleep(10);

    // As a disk does that gives back no more what is on it.
    const disk = new Database(database);
    disk.exec("DROP TABLE account");
    disk.close();

    await expect(following).rejects.toMatchObject({ code: "INTERNAL" });
  });

  it("has the agent count no more for whoever asked and has gone", async () => {
    const said: string[] = [];
    const { path } = await listening(undefined, (what) => said.push(what));
    const asking = new AbortController();
    const answer = callVerb(
      path,
      "disk",
      { app: "demo" },
      { whenDown: "the front is gone", signal: asking.signal },
    );
    while (said.length === 0) await sleep(10);

    asking.abort();

    await expect(answer).rejects.toMatchObject({ code: "SERVER_DOWN" });
    while (said.length === 1) await sleep(10);
    expect(said).toEqual(["begun", "left"]);
  });

  it("calls nothing refused that was done, where that cannot be written down", async () => {
    const { path, store } = await listening(() => {
      throw new Error("no line can be written");
    });

    const adding = callVerb(
      path,
      "addAccount",
      { account: "ada", mayCreate: false },
      { whenDown: "the front is gone" },
    );

    await expect(adding).rejects.toMatchObject({ code: "INTERNAL" });
    expect(store.accounts.get("ada")).toBeDefined();
    expect(store.audit.entries(10).map(({ outcome }) => outcome)).not.toContain("refused");
  });

  it.each(["//", "/v1/apps?", "*"])("answers what is no request of its: %s", async (address) => {
    const { path } = await listening();

    expect(await statusOf(path, address)).toBe(404);
  });
});
