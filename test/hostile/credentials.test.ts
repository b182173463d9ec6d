import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "libsql";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { auditOf, basic, makePerson, makeToken, type Person } from "../support/people.ts";
import { eventually } from "../support/server.ts";
import { withApp, withServer } from "../support/with-server.ts";
import { isLong } from "./oracle.ts";
import { head, sendRaw } from "./raw.ts";

const server = withServer();
const demo = withApp(server, "demo", plainApp("good"));
let front: number;
let ada: Person;

const refs = "/demo.git/info/refs?service=git-upload-pack";
const ask = (headers: Record<string, string>, path = refs) =>
  server.ask({ host: `git.localhost:${server.port}`, path, headers });
const audit = () => auditOf(server);

beforeAll(async () => {
  ada = await makePerson(server, "ada", { demo: "deploy" });
  front = server.servicePid("front");
});
afterEach(async () => {
  expect(server.servicePid("front"), "the front is the process that it was").toBe(front);
  expect((await server.get("demo")).body).toBe("good");
});

describe("a token", () => {
  it("A6: that is taken back is worth nothing with the next request", async () => {
    const token = await makeToken(server, "ada");
    expect((await ask({ authorization: basic({ name: "ada", token }) })).status).toBe(200);
    const tokens = await server.json<{ id: number }[]>("tokens", "--account", "ada");

    await server.reeve("tokens", "revoke", String(tokens.at(-1)!.id));

    expect((await ask({ authorization: basic({ name: "ada", token }) })).status).toBe(401);
    expect((await ask({ authorization: basic(ada) })).status).toBe(200);
  });

  it("A6: that is taken back in the middle of a push moves no ref, also of what was built for it", async () => {
    const eve = await makePerson(server, "eve", { demo: "deploy" });
    await demo.commit("Half of it");
    demo.write(plainApp("good", { importFor: 3 }));
    await demo.commit("Import for three seconds");
    await server.settled("demo");
    const before = await demo.remoteCommit();
    const pushing = demo.start(
      "push",
      server.remote("demo", `eve:${eve.token}`),
      "HEAD:refs/heads/main",
      "HEAD:refs/tags/late",
    );
    await eventually(() =>
      readdirSync(server.path("etc/vassals")).some((name) => name.includes(".next-")),
    );

    await server.reeve("accounts", "remove", "eve");
    const { exitCode, all } = await pushing;

    expect(exitCode).toBe(1);
    expect(all).toContain("error[NOT_ALLOWED]: the credential that you gave was taken back");
    expect(await demo.remoteCommit("refs/tags/late")).toBe("");
    expect(all).toContain(`still on the air: ${before.slice(0, 7)}`);
    expect(await demo.remoteCommit()).toBe(before);
  });

  it("A6: ends with its time, which is said when it is made", async () => {
    const { output } = await server.reeve("tokens", "create", "ada", "--days", "1");

    expect(output).toMatch(/^reeve_\S+\ntoken \d+ of ada, until \d{4}-/);
    const [last] = (await server.json<{ expiresAt: string }[]>("tokens", "--account", "ada")).slice(
      -1,
    );
    const hours = (Date.parse(last!.expiresAt) - Date.now()) / 3_600_000;
    expect(hours).toBeGreaterThan(23.9);
    expect(hours).toBeLessThan(24.1);
  });

  it("A6: that has expired is worth nothing", async () => {
    const token = await makeToken(server, "ada", { days: 1 });
    expect((await ask({ authorization: basic({ name: "ada", token }) })).status).toBe(200);

    await expire("ada");

    expect((await ask({ authorization: basic({ name: "ada", token }) })).status).toBe(401);
  });

  it("A6: that expires in the middle of a push moves no ref either", async () => {
    const late = await makePerson(server, "late", { demo: "deploy" });
    demo.write(plainApp("good", { importFor: 3 }));
    await demo.commit("Import for three seconds, again");
    await server.settled("demo");
    const before = await demo.remoteCommit();
    const remote = server.remote("demo", `late:${late.token}`);
    const pushing = demo.start("push", remote, "HEAD:refs/heads/main", "HEAD:refs/tags/expired");
    await eventually(() =>
      readdirSync(server.path("etc/vassals")).some((name) => name.includes(".next-")),
    );

    await expire("late");
    const { exitCode, all } = await pushing;

    expect(exitCode).toBe(1);
    expect(all).toContain("error[NOT_ALLOWED]: the credential that you gave was taken back");
    expect(await demo.remoteCommit("refs/tags/expired")).toBe("");
    expect(await demo.remoteCommit()).toBe(before);
  });

  it("A1, A6: of an account that lost its right finds no app any more", async () => {
    const bob = await makePerson(server, "bob", { demo: "read" });
    expect((await ask({ authorization: basic(bob) })).status).toBe(200);

    await server.reeve("revoke", "bob", "demo");

    expect((await ask({ authorization: basic(bob) })).status).toBe(404);
  });

  it("A11: leaves no trace in logs, arguments, environments, error pages or reeve's files", async () => {
    const token = await makeToken(server, "ada");
    const variables = "SECRET=in-a-variable-1c9f";
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
    await server.reeve("vars", "demo", "set", variables);

    expect([...found]).toEqual([]);
    for (const page of pages) expect(JSON.stringify(page)).not.toContain(token);
    expect(filesWith(server.path(), token)).toEqual([]);
    expect(JSON.stringify(await audit())).not.toContain(token);
    expect(JSON.stringify(await audit())).not.toContain("in-a-variable");
  });
});

describe("a header of credentials that is none", () => {
  const right = (): string => basic(ada).replace("Basic ", "");
  const encoded = (text: string | Buffer): string =>
    `Basic ${Buffer.from(text).toString("base64")}`;
  const raw = async (...lines: string[]): Promise<number> => {
    const address = { port: server.port, host: "127.0.0.1" };
    const headers = ["Host: git.localhost", ...lines, "Connection: close"];
    return (await sendRaw(address, [head("GET", refs, headers)])).status;
  };

  it.each([
    ["Basic", [401]],
    ["Basic ", [401]],
    ["Basic %%%", [401]],
    ["Basic ====", [401]],
    [`Basic ${"QUJD".repeat(250_000)}`, [400, 401, 431]],
    ["Basic\tRIGHT", [401]],
    ["Basic RIGHT RIGHT", [401]],
    ["Basic: RIGHT", [401]],
    ["RIGHT", [401]],
    ["basic RIGHT", [200]],
    ["BASIC  RIGHT", [200]],
  ])(
    "A3: %#. is answered, and the right words in other letters are taken",
    async (value, statuses) => {
      const line = `Authorization: ${value.replaceAll("RIGHT", right())}`;

      expect(statuses).toContain(await raw(line));
    },
  );

  it("A3: two of them are one too many, whichever is right", async () => {
    const [good, bad] = [`Authorization: Basic ${right()}`, "Authorization: Basic eDp5"];

    // nginx itself may turn two of them away.
    for (const lines of [
      [good, bad],
      [bad, good],
      [good, good],
    ])
      expect([400, 401]).toContain(await raw(...lines));
  });

  it.each(["Bearer x", "Digest username=x", "Negotiate x", "AWS4-HMAC-SHA256 x", "", "x"])(
    "A4: another scheme (%j) is turned away at once",
    async (value) => {
      const start = performance.now();

      expect(await raw(`Authorization: ${value}`)).toBe(401);
      expect(performance.now() - start).toBeLessThan(5000);
    },
  );

  it.each([
    ["a zero byte", (token: string) => `ada\0:${token}x`],
    ["colons", (token: string) => `:::${token}`],
    ["line breaks", (token: string) => `ada\r\nX: y:${token}\r\n`],
    ["64 kilobytes", () => `ada:${"x".repeat(64 * 1024)}`],
    ["no UTF-8", () => Buffer.from([0x61, 0x3a, 0xff, 0xfe, 0xc0])],
    ["__proto__", () => "__proto__:__proto__"],
    ["constructor", () => "constructor:constructor"],
    ["toString", () => "toString:toString"],
    ["nothing", () => ":"],
    ["half a character's worth more", (token: string) => `ada:${token}\u0000`],
  ])("A5: %s in a name or a token", async (_, spoil) => {
    const status = await raw(`Authorization: ${encoded(spoil(ada.token))}`);

    expect([400, 401]).toContain(status);
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
    // Taken in turn, so that the machine's moods, and the throttle after a while, fall on all of them alike.
    for (let round = 0; round < (isLong ? 500 : 30); round++) {
      for (const [index, given] of wrong.entries()) {
        const start = performance.now();
        await ask({ authorization: basic(given) });
        times[index]!.push(performance.now() - start);
      }
    }

    const [nobody = [], first = [], last = []] = times;
    for (const [one, other] of [
      [nobody, first],
      [nobody, last],
      [first, last],
    ] as const) {
      const apart = Math.abs(median(one) - median(other));
      // What chance alone makes look different, it does so by less than a network would hide.
      const isSame = sameByChance(one, other) > (isLong ? 0.01 : 0.0001) || apart < 0.2;
      expect(isSame, `${apart} ms apart`).toBe(true);
    }
  });

  it("A8: is answered with 429 before long, from one address, whatever the client calls itself", async () => {
    const statuses: number[] = [];
    for (let number = 0; number < 200; number++) {
      const authorization = basic({ name: `name-${number % 7}`, token: `wrong-${number}` });
      const forged = { "x-real-ip": `10.0.0.${number}`, "x-forwarded-for": `10.1.0.${number}` };
      statuses.push((await ask({ authorization, ...forged })).status);
    }

    // What was tried before in the same minute counts as well.
    expect(statuses.filter((status) => status !== 401 && status !== 429)).toEqual([]);
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
    expect(performance.now() - start).toBeLessThan(5000);
  });

  it("A8: lets git in meanwhile, which asks with the name of its address and no token before it gives one", async () => {
    const counted = async () => (await audit()).filter(({ action }) => action === "identify");
    const before = await counted();
    const named = `http://ada@git.localhost:${server.port}/demo.git`;
    const helper = `!f() { echo password=${ada.token}; }; f`;

    const fetched = await demo.git("-c", `credential.helper=${helper}`, "ls-remote", named);

    expect(fetched.output).toContain("refs/heads/main");
    expect(await counted()).toEqual(before);
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

  it("A10: fifty at a time slow no deploy by more than a fifth", async () => {
    const rounds = isLong ? 7 : 2;
    const deploy = async (title: string): Promise<number> => {
      const commit = await demo.commitBeside({ ...plainApp("good"), note: title }, title);
      const start = performance.now();
      const push = await demo.push(`+${commit}:refs/heads/main`);
      expect(push.exitCode, push.output).toBe(0);
      return performance.now() - start;
    };
    const alone: number[] = [];
    const beside: number[] = [];
    for (let round = 0; round < rounds; round++) {
      alone.push(await deploy(`Alone ${round}`));
      const over = new AbortController();
      const guessing = Array.from({ length: 50 }, async () => {
        while (!over.signal.aborted) {
          const authorization = basic({ name: "ada", token: "wrong" });
          await ask({ authorization }).catch(() => undefined);
          await new Promise((resolve) => setTimeout(resolve, 500));
        }
      });
      beside.push(await deploy(`While others guess ${round}`));
      over.abort();
      await Promise.all(guessing);
    }

    // Those who guess are this very process, on the same two cores: that is the tenth of a second.
    if (isLong) expect(median(beside)).toBeLessThan(1.2 * median(alone) + 100);
  });

  it("leaves the front with no more open files than before", async () => {
    const count = (): number => readdirSync(`/proc/${front}/fd`).length;
    const before = count();
    for (let number = 0; number < 100; number++)
      await ask({ authorization: basic({ name: "ada", token: "wrong" }) });

    await eventually(() => count() <= before + 5);
  });
});

/** The last token of an account expired a minute ago, as the clock would have it. */
async function expire(account: string): Promise<void> {
  const tokens = await server.json<{ id: number }[]>("tokens", "--account", account);
  const database = new Database(server.path("lib/front/front.db"));
  const before = new Date(Date.now() - 60_000).toISOString();
  database.prepare("UPDATE token SET expires_at = ? WHERE id = ?").run(before, tokens.at(-1)!.id);
  database.close();
}

function median(numbers: number[]): number {
  return numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)]!;
}

/** How likely two samples of one and the same thing are at least that different (Mann-Whitney, by the normal curve). */
function sameByChance(one: number[], other: number[]): number {
  let above = 0;
  for (const mine of one)
    for (const theirs of other) above += mine > theirs ? 1 : mine === theirs ? 0.5 : 0;
  const [m, n] = [one.length, other.length];
  const z = Math.abs(above - (m * n) / 2) / Math.sqrt((m * n * (m + n + 1)) / 12);
  // Abramowitz and Stegun, 26.2.17, to five digits.
  const t = 1 / (1 + 0.2316419 * z);
  const tail = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429].reduce(
    (sum, factor, index) => sum + factor * t ** (index + 1),
    0,
  );
  return (2 * tail * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
}

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
      stdio: "pipe",
    })
      .trim()
      .split("\n");
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
    // grep(1) ends with 1 where it found nothing, and with 2 where a file went that a settling deploy needs no more.
    const complaints = stderr.split("\n").filter((line) => line !== "");
    if (status > 2 || complaints.some((line) => !line.endsWith(": No such file or directory")))
      throw error;
    return stdout.split("\n").filter((line) => line !== "");
  }
}
