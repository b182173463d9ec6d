import { request as httpRequest, type IncomingMessage, type Server } from "node:http";
import { statSync, writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { UserError } from "../../../src/errors.ts";
import {
  answerVerbs,
  callVerb,
  listenOn,
  verbServer,
  type Verb,
  type Verbs,
} from "../../../src/protocol/channel.ts";
import { temporaryFolder } from "../../support/unit-folder.ts";

const whenDown = "nobody is there";

interface Listening {
  path: string;
  server: Server;
  mistakes: unknown[];
}

async function listen(verbs: Verbs): Promise<Listening> {
  const path = join(temporaryFolder(), "test.sock");
  const mistakes: unknown[] = [];
  const server = verbServer(answerVerbs(verbs, (error) => mistakes.push(error)));
  await listenOn(server, path);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { path, server, mistakes };
}

function verb<I, R>(input: z.ZodType<I>, run: Verb<I, R>["run"]): Verb<I, R> {
  return { input, run };
}

const nothing = z.object({});

interface Raw {
  status: number | undefined;
  body: string;
}

async function ask(path: string, method: string, url: string, body = "{}"): Promise<Raw> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    httpRequest({ socketPath: path, path: url, method, agent: false }, resolve)
      .on("error", reject)
      .end(body);
  });
  return { status: response.statusCode, body: await text(response) };
}

describe("a request over a socket", () => {
  it("is answered with the result", async () => {
    const { path } = await listen({
      add: verb(z.object({ a: z.int(), b: z.int() }), ({ a, b }) => Promise.resolve(a + b)),
    });

    expect(await callVerb(path, "add", { a: 1, b: 2 }, { whenDown })).toBe(3);
  });

  it("that has no result is answered with null", async () => {
    const { path } = await listen({ quiet: verb(nothing, () => Promise.resolve(undefined)) });

    expect(await callVerb(path, "quiet", {}, { whenDown })).toBeNull();
  });

  it("hears every line while it is still being worked on", async () => {
    const heard = new Set<string>();
    let goOn = (): void => undefined;
    const { path } = await listen({
      build: verb(nothing, async (_, { say }) => {
        say("first");
        // Waits until whoever asked has that line in his hands.
        await new Promise<void>((resolve) => (goOn = resolve));
        say("zwei\nüber 世");
        return "done";
      }),
    });

    const onLine = (line: string): void => {
      heard.add(line);
      goOn();
    };
    const result = await callVerb(path, "build", {}, { whenDown, onLine });

    expect(result).toBe("done");
    expect([...heard]).toEqual(["first", "zwei\nüber 世"]);
  });

  it("may be longer than a line of somebody else's could be", async () => {
    const long = "x".repeat(100_000);
    const { path } = await listen({
      echo: verb(z.object({ words: z.string() }), ({ words }) => Promise.resolve(words)),
    });

    expect(await callVerb(path, "echo", { words: long }, { whenDown })).toBe(long);
  });

  it("that fails rejects with the other side's own error: code, words, hint and whether it was said", async () => {
    const { path, mistakes } = await listen({
      fail: verb(nothing, () => {
        const error = new UserError("PLACE_TAKEN", "demo.localhost/ belongs to shop", {
          hint: "Take another.",
        });
        error.said = true;
        throw error;
      }),
    });

    const error: unknown = await callVerb(path, "fail", {}, { whenDown }).catch((e: unknown) => e);

    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({
      code: "PLACE_TAKEN",
      message: "demo.localhost/ belongs to shop",
      hint: "Take another.",
      said: true,
      exitCode: 1,
    });
    expect(mistakes).toEqual([]);
  });

  it("that fails by a mistake says so, and whoever keeps the log gets the whole of it", async () => {
    const mistake = new TypeError("x is not a function");
    const { path, mistakes } = await listen({ fail: verb(nothing, () => Promise.reject(mistake)) });

    await expect(callVerb(path, "fail", {}, { whenDown })).rejects.toMatchObject({
      code: "INTERNAL",
      message: "x is not a function",
    });

    expect(mistakes).toEqual([mistake]);
  });

  it.each([
    ["a field of another kind", { commit: 7 }],
    ["a field that is missing", {}],
    ["a field that does not fit its grammar", { commit: "--output=/tmp/x" }],
  ])("with %s is refused before anything runs", async (_, input) => {
    let ran = false;
    const { path } = await listen({
      switch: verb(z.object({ commit: z.string().regex(/^[0-9a-f]{40}$/) }), () => {
        ran = true;
        return Promise.resolve();
      }),
    });

    await expect(callVerb(path, "switch", input, { whenDown })).rejects.toMatchObject({
      message: expect.stringMatching(/^switch: [^]*commit/) as string,
    });

    expect(ran).toBe(false);
  });

  it.each(["", "not JSON", "[", '"words"', "null", "7"])(
    "of the form %j is refused, and the next one is answered",
    async (body) => {
      const { path } = await listen({ ping: verb(nothing, () => Promise.resolve("pong")) });

      const { status, body: answer } = await ask(path, "POST", "/v1/ping", body);

      expect(status).toBe(200);
      expect(JSON.parse(answer)).toHaveProperty("error.code", "INTERNAL");
      expect(await callVerb(path, "ping", {}, { whenDown })).toBe("pong");
    },
  );

  it.each([
    ["a verb that is not there", "POST", "/v1/nosuch"],
    ["a name that every object has", "POST", "/v1/constructor"],
    ["a name that every object has, too", "POST", "/v1/__proto__"],
    ["another version", "POST", "/v2/ping"],
    ["no version", "POST", "/ping"],
    ["nothing", "POST", "/"],
    ["another method", "GET", "/v1/ping"],
  ])("for %s finds nobody", async (_, method, url) => {
    const { path } = await listen({ ping: verb(nothing, () => Promise.resolve("pong")) });

    expect(await ask(path, method, url)).toEqual({ status: 404, body: "" });
  });

  it("of more than 16 MiB is cut off, and the next one is answered", async () => {
    const { path } = await listen({
      ping: verb(z.object({ words: z.string().optional() }), () => Promise.resolve("pong")),
    });

    await expect(
      callVerb(path, "ping", { words: "x".repeat(17 * 1024 * 1024) }, { whenDown }),
    ).rejects.toMatchObject({ code: "SERVER_DOWN" });

    expect(await callVerb(path, "ping", {}, { whenDown })).toBe("pong");
  });
});

describe("a server that is gone", () => {
  it("is said to be down, in the asker's own words", async () => {
    await expect(
      callVerb(join(temporaryFolder(), "none.sock"), "ping", {}, { whenDown }),
    ).rejects.toMatchObject({ code: "SERVER_DOWN", message: whenDown, exitCode: 3 });
  });

  it("is down as well when it goes in the middle of an answer", async () => {
    const lines: string[] = [];
    const { path, server } = await listen({
      build: verb(nothing, (_, { say }) => {
        say("so far so good");
        return new Promise(() => undefined);
      }),
    });
    const onLine = (line: string): void => {
      lines.push(line);
      server.closeAllConnections();
    };

    await expect(callVerb(path, "build", {}, { whenDown, onLine })).rejects.toMatchObject({
      code: "SERVER_DOWN",
    });

    expect(lines).toEqual(["so far so good"]);
  });
});

describe("an asker that is gone", () => {
  it("is noticed by whoever answers", async () => {
    let noticed = (): void => undefined;
    const isNoticed = new Promise<void>((resolve) => (noticed = resolve));
    const asker = new AbortController();
    const { path } = await listen({
      follow: verb(nothing, (_, { say, gone }) => {
        gone.addEventListener("abort", noticed);
        say("a line");
        return new Promise(() => undefined);
      }),
    });

    const request = callVerb(
      path,
      "follow",
      {},
      { whenDown, signal: asker.signal, onLine: () => asker.abort() },
    );

    await expect(request).rejects.toMatchObject({ code: "SERVER_DOWN" });
    await isNoticed;
  });
});

describe("the socket", () => {
  it("is its owner's and its group's, and nobody else's", async () => {
    const { path } = await listen({});

    expect(statSync(path).mode & 0o777).toBe(0o660);
  });

  it("takes the place of what a killed server left", async () => {
    const path = join(temporaryFolder(), "test.sock");
    writeFileSync(path, "");
    const server = verbServer(answerVerbs({}, () => undefined));
    onTestFinished(() => void server.close());

    await listenOn(server, path);

    expect(statSync(path).isSocket()).toBe(true);
  });
});
