import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { eventually } from "../support/server.ts";
import { catalogue } from "./catalogue.ts";
import { isLong } from "./oracle.ts";
import { gzipBomb, head, packetLine, sendRaw, type Raw } from "./raw.ts";
import { byWays, some, type SceneNow } from "./scene.ts";

catalogue("the protocol", protocolCases);

const pushType = "application/x-git-receive-pack-request";
const fetchType = "application/x-git-upload-pack-request";
const zero = "0".repeat(40);

/** HTTP, and git in it. */
function protocolCases(scene: SceneNow): void {
  const ask = (path: string, headers: Record<string, string>, body?: Buffer | string) =>
    scene().server.ask({
      host: `git.localhost:${scene().server.port}`,
      method: body === undefined ? "GET" : "POST",
      path,
      headers: { ...scene().authorization, ...headers },
      ...(body === undefined ? {} : { body }),
    });
  const push = (headers: Record<string, string>, body: Buffer | string) =>
    ask("/demo.git/git-receive-pack", { "content-type": pushType, ...headers }, body);

  /** By nginx, or at the front's own socket behind it, which meets what nginx would keep away. */
  const raw = (
    pieces: (string | Buffer)[],
    by: "nginx" | "front" = "nginx",
    options = {},
  ): Promise<Raw> =>
    sendRaw(
      by === "nginx"
        ? { port: scene().server.port, host: "127.0.0.1" }
        : { path: scene().server.path("run/front/http.sock") },
      pieces,
      options,
    );
  const pushHead = (...more: string[]): string =>
    head("POST", "/demo.git/git-receive-pack", [
      "Host: git.localhost",
      `Authorization: ${scene().authorization["authorization"] ?? ""}`,
      `Content-Type: ${pushType}`,
      ...more,
    ]);

  describe("H1: an encoding that is not what it says", () => {
    it.each(
      some(
        [
          ["gzip", Buffer.from("this is not gzip"), 400],
          // A packet that says it is long: git waits for the rest of it, and does not refuse what came.
          [
            "gzip",
            gzipSync(Buffer.concat([Buffer.from("fff0"), randomBytes(5000)])).subarray(0, 100),
            400,
          ],
          ["gzip", Buffer.alloc(0), 400],
          ["deflate", Buffer.from("0000"), 415],
          ["br", Buffer.from("0000"), 415],
          ["gzip, gzip", gzipSync(gzipSync("0000")), 415],
          ["x".repeat(5000), Buffer.from("0000"), 415],
        ],
        4,
      ),
    )("%s", async (encoding, body, status) => {
      const before = scene().main;
      for (const [path, type] of [
        ["/demo.git/git-receive-pack", pushType],
        ["/demo.git/git-upload-pack", fetchType],
      ] as const) {
        const answer = await ask(
          path,
          { "content-type": type, "content-encoding": encoding },
          body,
        );
        expect([path, answer.status, answer.body.slice(0, 6)]).toEqual([path, status, "error:"]);
      }
      expect(scene().main).toBe(before);
    });
  });

  it("H2: a gzip bomb of ten gigabytes ends at the limit", async () => {
    const bomb = await gzipBomb(isLong ? 100 : 5);

    const began = performance.now();
    const answers = await Promise.all([
      push({ "content-encoding": "gzip" }, bomb).catch(() => undefined),
      ask(
        "/demo.git/git-upload-pack",
        { "content-type": fetchType, "content-encoding": "gzip" },
        bomb,
      ).catch(() => undefined),
    ]);

    expect(performance.now() - began).toBeLessThan(10_000);
    for (const answer of answers) expect(answer?.body ?? "").not.toContain("unpack ok");
  });

  describe("H3: a length that is not the body's", () => {
    it.each(
      some(
        [
          ["a body that is cut", ["Content-Length: 1000"], "0".repeat(500)],
          ["no body", ["Content-Length: 0"], ""],
          [
            "gzip that is cut",
            ["Content-Length: 1000", "Content-Encoding: gzip"],
            gzipSync(randomBytes(600)).subarray(0, 300),
          ],
          ["2^63", ["Content-Length: 9223372036854775808"], "0000"],
          ["2^64 and a little", ["Content-Length: 18446744073709551620"], "0000"],
          ["a negative one", ["Content-Length: -1"], "0000"],
          ["a word", ["Content-Length: many"], "0000"],
          ["two of them", ["Content-Length: 4", "Content-Length: 5"], "0000"],
          ["none", [], "0000"],
          [
            "both ways at once",
            ["Content-Length: 4", "Transfer-Encoding: chunked"],
            "4\r\n0000\r\n0\r\n\r\n",
          ],
        ],
        4,
      ),
    )("%s", async (_, headers, body) => {
      const before = scene().main;
      for (const by of ["nginx", "front"] as const)
        await raw([pushHead(...headers, "Connection: close"), body], by, { within: 1000 });

      expect(scene().main).toBe(before);
      await eventually(() => !scene().hasGit, 30_000);
    });
  });

  describe("H4: a client that goes away", () => {
    it.each(["after the headers", "in a packet line", "after the commands", "in the pack"])(
      "%s",
      async (when) => {
        const before = scene().main;
        const command = packetLine(`${before} ${"1".repeat(40)} refs/heads/main\0report-status\n`);
        const sent = {
          "after the headers": "",
          "in a packet line": command.slice(0, 30),
          "after the commands": `${command}0000`,
          "in the pack": `${command}0000PACK\0\0\0\x02\0\0\0\x05${"x".repeat(3000)}`,
        }[when];
        await raw([pushHead("Content-Length: 1000000"), sent ?? ""], "nginx", { within: 300 });

        expect(scene().main).toBe(before);
        await eventually(() => !scene().hasGit, 30_000);
      },
    );

    it.each(byWays([["while its release is built"], ["when all is sent"]]))(
      "%s, over %s: the ref and what is served stay of one mind",
      async (when, via) => {
        const { demo, server } = scene();
        const text = `gone ${when} ${via}`;
        const commit = await demo.commitBeside(plainApp(text, { importFor: 1 }), text);
        await server.settled("demo");
        const pushing = scene().git(via, ["push", "REMOTE", `+${commit}:refs/heads/main`]);
        await eventually(() => scene().isBuilding);
        if (when === "when all is sent") await new Promise((resolve) => setTimeout(resolve, 300));
        pushing.kill("SIGKILL");
        await pushing;

        await eventually(() => !scene().hasGit, 20_000);
        await server.settled("demo");
        const served = (await server.get("demo")).body;
        expect(served === text).toBe(scene().main === commit);
      },
    );
  });

  it("H5: twenty megabytes for a repository that is not there", async () => {
    const body = randomBytes(20 * 1024 * 1024);
    const answers = [];
    for (const path of ["/nosuch.git/git-receive-pack", "/nosuch.git/git-upload-pack"]) {
      const type = path.endsWith("receive-pack") ? pushType : fetchType;
      answers.push(
        await ask(path, { "content-type": type }, body).then(({ status }) => status, String),
      );
    }

    expect(answers).toEqual([404, 404]);
  });

  it.each(
    some(
      [
        ["application/x-www-form-urlencoded", "http://evil.example"],
        ["text/plain", "http://evil.example"],
        ["multipart/form-data; boundary=x", "null"],
        [`${pushType}; charset=utf-8`, "http://demo.localhost"],
        [fetchType, "http://evil.example"],
        ["", "http://evil.example"],
      ],
      3,
    ),
  )("H6: a browser's form as %j from %s", async (type, origin) => {
    const answer = await push(
      { "content-type": type, origin, "sec-fetch-site": "cross-site" },
      "0000",
    );

    expect(answer.status).toBe(415);
    expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
  });

  describe("H7: packet lines that are none", () => {
    const command = (name: string, more = ""): string =>
      packetLine(`${zero} ${"1".repeat(40)} ${name}${more}\n`);
    it.each(
      some(
        [
          ["a flush", () => "0000"],
          ["a delimiter", () => "0001"],
          ["the longest length and nothing", () => "ffff"],
          ["letters", () => "zzzz"],
          ["an empty line", () => "0004"],
          ["less than a length", () => "0003"],
          ["more than there is", () => "00ff0000"],
          [
            "64 KB of capabilities",
            () => `${command("refs/heads/x", `\0${"a=b ".repeat(16_000)}`).slice(0, 65_000)}0000`,
          ],
          ["no flush", () => command("refs/heads/x", "\0report-status")],
          [
            "100,000 refs",
            () =>
              `${command("refs/heads/x", "\0report-status")}${Array.from({ length: isLong ? 100_000 : 20_000 }, (_, n) => command(`refs/heads/x${n}`)).join("")}0000`,
          ],
          [
            "a ref with a zero byte",
            () => `${command("refs/heads/x\0y\0z", "\0report-status")}0000`,
          ],
          ["ids of words", () => `${packetLine("main main refs/heads/main\0report-status\n")}0000`],
          ["noise", () => randomBytes(20_000)],
        ],
        6,
      ),
    )("%s", async (_, body) => {
      const before = scene().main;
      for (const [path, type] of [
        ["/demo.git/git-receive-pack", pushType],
        ["/demo.git/git-upload-pack", fetchType],
      ] as const)
        await ask(path, { "content-type": type }, body());

      expect(scene().main).toBe(before);
      expect(readdirSync(scene().server.path("lib/repositories/demo.git/refs/heads"))).toEqual([
        "main",
      ]);
    });
  });

  it("H8: sixty who say nothing, and ten who say a byte in a second, hold up nobody", async () => {
    const stay = 8000;
    const silent = Array.from({ length: 60 }, (_, number) =>
      raw(number % 2 ? [] : ["POST /demo.git/git-receive-pack HTTP/1.1\r\nHost: git"], "nginx", {
        within: stay,
      }),
    );
    const slow = Array.from({ length: 10 }, () =>
      raw([pushHead("Content-Length: 100"), ...["0", "0", "0", "0", "0"]], "nginx", {
        within: stay,
        every: 500,
      }),
    );
    const began = performance.now();

    await scene().pushAgain();

    expect(performance.now() - began, "while all of them were there").toBeLessThan(stay);
    await Promise.all([...silent, ...slow]);
    await eventually(() => !scene().hasGit, 10_000);
  });

  describe("H9: addresses that lead elsewhere", () => {
    it.each(
      some(
        [
          "//demo.git/info/refs?service=git-upload-pack",
          "/./demo.git/HEAD",
          "/%2e%2e/%2e%2e/etc/passwd",
          "/../../etc/passwd",
          "/demo.git/%2e%2e/%2e%2e/front/token",
          "/demo%00.git/info/refs?service=git-upload-pack",
          "/demo%0d%0aX-Evil:%20x.git/info/refs?service=git-upload-pack",
          "/demo.git;x/info/refs?service=git-upload-pack",
          "/demo.git\\info\\refs?service=git-upload-pack",
          "http://git.localhost/demo.git/HEAD",
          `/${"x".repeat(64 * 1024)}`,
          "/demo.git?x=/git-receive-pack",
          "/demo.git/info/refs/?service=git-upload-pack",
          "/demo.git/info/refs?service=git-upload-pack&x",
          "/demo.git/info/refs?service=git-upload-archive",
          "/demo.git.git/info/refs?service=git-upload-pack",
          "/DEMO.GIT/info/refs?service=git-upload-pack",
          "/demo.GIT/info/refs?service=git-upload-pack",
          "/demo.git/info/refs%3fservice=git-upload-pack",
          "*",
        ],
        6,
      ),
    )("%s", async (path) => {
      const { authorization = "" } = scene().authorization;
      for (const by of ["nginx", "front"] as const) {
        const answer = await raw(
          [
            head("GET", path, [
              "Host: git.localhost",
              `Authorization: ${authorization}`,
              // As nginx says it: without, the front takes no token.
              "X-Real-IP: 127.0.0.1",
              "Connection: close",
            ]),
          ],
          by,
        );
        expect([400, 404, 414, 431], `${by}: ${answer.text.slice(0, 200)}`).toContain(
          answer.status,
        );
        expect(answer.text).not.toMatch(/root:|X-Evil: x/);
      }
    });
  });

  describe("H10: chunks that hide a second request", () => {
    const hidden = "GET /other.git/HEAD HTTP/1.1\r\nHost: git.localhost\r\n\r\n";
    it.each(
      some(
        [
          [
            "an extension of a megabyte",
            ["Transfer-Encoding: chunked"],
            `4;${"x".repeat(1024 * 1024)}\r\n0000\r\n0\r\n\r\n`,
          ],
          ["a length of letters", ["Transfer-Encoding: chunked"], "zz\r\n0000\r\n0\r\n\r\n"],
          [
            "a length of 2^64",
            ["Transfer-Encoding: chunked"],
            "10000000000000004\r\n0000\r\n0\r\n\r\n",
          ],
          [
            "a length and chunks",
            ["Content-Length: 6", "Transfer-Encoding: chunked"],
            `0\r\n\r\n${hidden}`,
          ],
          [
            "chunks and a length",
            ["Transfer-Encoding: chunked", "Content-Length: 100"],
            `0\r\n\r\n${hidden}`,
          ],
          ["chunks in other words", ["Transfer-Encoding: xchunked"], `0\r\n\r\n${hidden}`],
          [
            "chunks twice",
            ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
            `0\r\n\r\n${hidden}`,
          ],
          ["a blank before the colon", ["Transfer-Encoding : chunked"], `0\r\n\r\n${hidden}`],
        ],
        4,
      ),
    )("%s", async (_, headers, body) => {
      const log = scene().server.path("log/nginx-access.log");
      for (const by of ["nginx", "front"] as const) {
        const answer = await raw([pushHead(...headers, "Connection: close"), body], by, {
          within: 1500,
        });
        expect(answer.text.match(/^HTTP\/1/gm)?.length ?? 0, `${by} ${log}`).toBeLessThan(2);
        expect(answer.text).not.toContain("there is nothing here");
      }
    });
  });

  it("H11: a push of more than a megabyte, which git sends in chunks", async () => {
    const { demo } = scene();
    demo.write({
      ...plainApp("large"),
      "large.bin": randomBytes(2 * 1024 * 1024).toString("base64"),
    });
    await demo.commit("Large");

    const { exitCode, output } = await scene().push("http", ["+HEAD:refs/heads/main"]);

    demo.write({ "large.bin": null });
    expect(exitCode, output).toBe(0);
  });

  it("H11: a push of more than the limit is refused with the reason, by either way", async () => {
    const { demo } = scene();
    const blob = await demo.blob(randomBytes(10 * 1024 * 1024));
    const commit = await demo.commitTree([{ id: blob, name: "large.bin" }], "Too large");
    for (const via of ["http", "ssh"] as const) {
      const { exitCode, output } = await scene().push(via, [`${commit}:refs/heads/large`]);

      expect(exitCode).toBe(1);
      expect(output, via).toMatch(/pack exceeds maximum allowed size/);
    }
  });

  it.each(some(["version=2", "version=99", "x; rm", "v".repeat(10_000), "version=2:x=`id`"], 3))(
    "H12: git is told nothing by Git-Protocol: %s",
    async (protocol) => {
      const answer = await ask("/demo.git/info/refs?service=git-upload-pack", {
        "git-protocol": protocol,
      });

      if (protocol.length > 5000) expect(answer.status).toBe(400);
      else expect(answer.body).toMatch(/^001e# service=git-upload-pack\n0000/);
      expect(answer.body).not.toContain("version ");
    },
  );

  describe("H13: a host that is nobody's", () => {
    it.each(
      some(
        [
          ["unknown.localhost"],
          [""],
          ["127.0.0.1"],
          ["[::1]"],
          ["_"],
          ["*"],
          ["~.*"],
          ["$hostname"],
          ["git.localhost.evil.example"],
          ["other.localhost.evil.example"],
          ["other.localhost\r\nHost: git.localhost"],
        ],
        5,
      ),
    )("%j", async (host) => {
      const answer = await raw([
        head("GET", "/demo.git/HEAD", [`Host: ${host}`, "Connection: close"]),
      ]);

      expect([400, 404]).toContain(answer.status);
      expect(answer.text).not.toMatch(/\r\n\r\nother$/);
    });

    it("and an app's own name at git's address leads to that app, which has no repository", async () => {
      const answer = await scene().server.get(
        "other",
        "/demo.git/info/refs?service=git-upload-pack",
      );

      expect(answer.body).toBe("other");
      expect((await scene().server.get("git", "/")).status).toBe(401);
    });
  });

  it.each([["http"], ["ssh"]] as const)(
    "H14: a commit that no branch has any more is nobody's to fetch, over %s",
    async (via) => {
      const { demo, server } = scene();
      const secret = await demo.commitBeside({ secret: "a secret" }, "Secret");
      const pushed = await scene().push(via, [`${secret}:refs/tags/secret`]);
      expect(pushed.exitCode, pushed.output).toBe(0);
      expect((await scene().push(via, [":refs/tags/secret"])).exitCode).toBe(0);
      const hidden = scene().main;
      const empty = await server.workspace("empty", {});

      for (const words of [
        ["-c", "protocol.version=0"],
        ["-c", "protocol.version=2"],
      ]) {
        const wants = [secret, "refs/reeve/releases/demo/" + hidden];
        for (const want of wants) {
          const fetch = await scene().git(via, [...words, "fetch", "REMOTE", want], empty);
          expect(fetch.exitCode, `${words.join(" ")} ${want} ${fetch.all}`).not.toBe(0);
        }
      }
      expect((await empty.start("cat-file", "-e", secret)).exitCode).not.toBe(0);
    },
  );

  it.each(
    some(
      [
        "HEAD",
        "config",
        "description",
        "packed-refs",
        "objects/info/packs",
        "objects/info/alternates",
        "objects/pack/",
        "hooks/pre-receive",
        "refs/heads/main",
        "info/refs",
        "logs/HEAD",
      ],
      4,
    ),
  )("H15: there is no /demo.git/%s", async (file) => {
    const answer = await ask(`/demo.git/${file}`, {});

    expect(answer.status).toBe(404);
  });
}
