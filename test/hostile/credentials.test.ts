import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { basic, makePerson, makeToken, type Person } from "../support/people.ts";
import { eventually, TestServer } from "../support/server.ts";
import type { Workspace } from "../support/workspace.ts";

let server: TestServer;
let demo: Workspace;
let front: number;
let ada: Person;

const refs = "/demo.git/info/refs?service=git-upload-pack";
const ask = (headers: Record<string, string>, path = refs) =>
  server.ask({ host: `git.localhost:${server.port}`, path, headers });
const audit = () => server.json<Record<string, string>[]>("audit", "-n", "5000");

beforeAll(async () => {
  server = await TestServer.start();
  demo = await server.workspace("demo", plainApp("good"));
  await demo.push();
  ada = await makePerson(server, "ada", { demo: "deploy" });
  front = server.servicePid("front");
});
afterAll(() => server.remove());
afterEach(async () => {
  expect(server.servicePid("front"), "the front is the process that it was").toBe(front);
  expect((await server.get("demo")).body).toBe("good");
});

describe("a token", () => {
  it("A6: that is taken back is worth nothing with the next request", async () => {
    const token = await makeToken(server, "ada");
    expect((await ask({ authorization: basic({ name: "ada", token }) })).status).toBe(200);
    const tokens = await server.json<{ id: number }[]>("token", "list", "ada");

    await server.reeve("token", "revoke", String(tokens.at(-1)!.id));

    expect((await ask({ authorization: basic({ name: "ada", token }) })).status).toBe(401);
    expect((await ask({ authorization: basic(ada) })).status).toBe(200);
  });

  it("A6: that is taken back in the middle of a push moves no further ref", async () => {
    const eve = await makePerson(server, "eve", { demo: "deploy" });
    await demo.commit("Half of it");
    demo.write(plainApp("good", { importFor: 3 }));
    const commit = await demo.commit("Import for three seconds");
    const pushing = demo.start(
      "push",
      server.remote("demo", `eve:${eve.token}`),
      "HEAD:refs/heads/main",
      "HEAD:refs/tags/late",
    );
    await eventually(() =>
      readdirSync(server.path("etc/vassals")).some((name) => name.includes(".next-")),
    );

    await server.reeve("account", "remove", "eve");
    const { exitCode, all } = await pushing;

    expect(exitCode).toBe(1);
    expect(all).toContain("error[NOT_ALLOWED]: the credential that you gave was taken back");
    expect(await demo.remoteCommit("refs/tags/late")).toBe("");
    // The branch was judged before, and its release is proven: it and what is served are of one mind.
    expect(await demo.remoteCommit()).toBe(commit);
  });

  it("A6: ends with its time, which is said when it is made", async () => {
    const { output } = await server.reeve("token", "create", "ada", "--days", "1");

    expect(output).toMatch(/^reeve_\S+\ntoken \d+ of ada, until \d{4}-/);
    const [last] = (await server.json<{ expiresAt: string }[]>("token", "list", "ada")).slice(-1);
    const hours = (Date.parse(last!.expiresAt) - Date.now()) / 3_600_000;
    expect(hours).toBeGreaterThan(23.9);
    expect(hours).toBeLessThan(24.1);
  });

  it("A1, A6: of an account that lost its right finds no app any more", async () => {
    const bob = await makePerson(server, "bob", { demo: "read" });
    expect((await ask({ authorization: basic(bob) })).status).toBe(200);

    await server.reeve("revoke", "bob", "demo");

    expect((await ask({ authorization: basic(bob) })).status).toBe(404);
  });

  it("A11: leaves no trace in logs, arguments, environments, error pages or reeve's files", async () => {
    const token = await makeToken(server, "ada");
    const settings = "SECRET=in-a-setting-1c9f";
    const found = new Set<string>();
    const look = (): void => {
      for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
        const title = readOr(`/proc/${pid}/cmdline`);
        const isClient = title.includes(`@git.localhost:${server.port}`);
        // The client's arguments are the client's own.
        if (!isClient && `${title}${readOr(`/proc/${pid}/environ`)}`.includes(token))
          found.add(title);
      }
    };
    await demo.commit("With a token");
    const pushing = demo.start("push", server.remote("demo", `ada:${token}`), "HEAD:main");
    const watching = setInterval(look, 150);
    await pushing;
    clearInterval(watching);
    const pages = [
      await ask({ authorization: basic({ name: token, token: "x" }) }),
      await ask({ authorization: basic({ name: "ada", token: `${token}x` }) }),
      await ask(
        { authorization: basic({ name: "ada", token }) },
        "/nosuch.git/info/refs?service=git-upload-pack",
      ),
      await ask({ authorization: `Bearer ${token}` }),
    ];
    await server.reeve("settings", "demo", "set", settings);

    expect([...found]).toEqual([]);
    for (const page of pages) expect(JSON.stringify(page)).not.toContain(token);
    expect(filesWith(server.path(), token)).toEqual([]);
    expect(JSON.stringify(await audit())).not.toContain(token);
    expect(JSON.stringify(await audit())).not.toContain("in-a-setting");
  });
});

describe("guessing", () => {
  it("A9: takes as long whatever is wrong: the account, the first letter or the last", async () => {
    const wrong = [
      { name: "nosuch", token: "reeve_x" },
      { name: "ada", token: `x${ada.token.slice(1)}` },
      { name: "ada", token: `${ada.token.slice(0, -1)}x` },
    ];
    const times: number[][] = [[], [], []];
    // Fewer than what is throttled; taken in turn, so that the machine's moods fall on all of them alike.
    for (let round = 0; round < 20; round++) {
      for (const [index, given] of wrong.entries()) {
        const start = performance.now();
        await ask({ authorization: basic(given) });
        times[index]!.push(performance.now() - start);
      }
    }

    const medians = times.map((all) => all.toSorted((one, other) => one - other)[10]!);
    expect(Math.max(...medians)).toBeLessThan(2 * Math.min(...medians) + 1);
  });

  it("A8: is answered with 429 before long, from one address, whatever the client calls itself", async () => {
    const statuses: number[] = [];
    for (let number = 0; number < 200; number++) {
      const authorization = basic({ name: `name-${number % 7}`, token: `wrong-${number}` });
      const forged = { "x-real-ip": `10.0.0.${number}`, "x-forwarded-for": `10.1.0.${number}` };
      statuses.push((await ask({ authorization, ...forged })).status);
    }

    expect(statuses[0]).toBe(401);
    expect(statuses.slice(-80).every((status) => status === 429)).toBe(true);
    const answer = await ask({ authorization: basic({ name: "ada", token: "wrong" }) });
    expect(answer.body).toMatch(/^error\[TOO_MANY_ATTEMPTS\]/);
    expect(answer.headers["retry-after"]).toBe("60");
  });

  it("A8: locks the right person out neither from the same address nor by their name, nor slows them down", async () => {
    for (let number = 0; number < 150; number++)
      await ask({ authorization: basic({ name: "ada", token: `wrong-${number}` }) });

    const start = performance.now();
    const answer = await ask({ authorization: basic(ada) });

    expect(answer.status).toBe(200);
    expect(performance.now() - start).toBeLessThan(1000);
  });

  it("A8: is written down until it is too much, and then once", async () => {
    const entries = (await audit()).filter(({ action }) => action === "throttle");

    expect(entries.length).toBeGreaterThan(0);
    expect(entries.length).toBeLessThan(5);
    expect(entries[0]).toMatchObject({
      outcome: "refused",
      detail: expect.stringContaining("from 127.0.0.1") as string,
    });
    expect((await audit()).filter(({ action }) => action === "identify").length).toBeLessThan(250);
  });

  it("A10: fifty at a time does not hold up a deploy", async () => {
    let goOn = true;
    const guessing = Array.from({ length: 50 }, async () => {
      while (goOn) {
        await ask({ authorization: basic({ name: "ada", token: "wrong" }) }).catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    });

    const push = await demo.deploy({ "note.txt": "x" }, "While others guess");
    goOn = false;
    await Promise.all(guessing);

    expect(push.exitCode, push.output).toBe(0);
  });

  it("leaves the front with no more open files than before", async () => {
    const count = (): number => readdirSync(`/proc/${front}/fd`).length;
    const before = count();
    for (let number = 0; number < 100; number++)
      await ask({ authorization: basic({ name: "ada", token: "wrong" }) });

    await eventually(() => count() <= before + 5);
  });
});

function readOr(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

/** Files below a folder that hold a text; reeve's own tools and the apps' trees aside. */
function filesWith(folder: string, text: string): string[] {
  const folders = ["etc", "lib", "log", "run", "srv"].map((name) => join(folder, name));
  try {
    return execFileSync("grep", ["-rlaF", "--devices=skip", "--", text, ...folders], {
      encoding: "utf8",
    })
      .trim()
      .split("\n");
  } catch (error) {
    // grep(1) ends with 1 where it found nothing.
    if ((error as { status: number }).status === 1) return [];
    throw error;
  }
}
