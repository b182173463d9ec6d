import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { stripVTControlCharacters } from "node:util";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { packOfMany, pushOf } from "../support/packs.ts";
import { eventually } from "../support/server.ts";
import { gzipBomb, head, packetLine, sendRaw } from "./raw.ts";
import { throughAndBack } from "./large.ts";
import { Scene } from "./scene.ts";

/** Megabytes. */
const mostMemory = 150;

let scene: Scene;
let openFiles = 0;

beforeAll(async () => {
  scene = await Scene.open();
  openFiles = scene.openFiles;
});
afterAll(() => scene.close());
afterEach(async () => {
  await eventually(() => !scene.hasGit && scene.openFiles < openFiles + 5, 60_000);
  await scene.expectUnharmed(true);
});

/** While this goes on, pushes work, and the front's memory stays what it is. */
async function expectOthersServed(beset: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  void beset.finally(() => over.abort());
  let highest = 0;
  let pushes = 0;
  while (!over.signal.aborted) {
    const start = performance.now();
    await scene.pushAgain();
    pushes += 1;
    expect(performance.now() - start, "milliseconds of a push").toBeLessThan(10_000);
    highest = Math.max(highest, scene.memory);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  await beset;
  expect(pushes).toBeGreaterThan(0);
  expect(Math.max(highest, scene.memory)).toBeLessThan(mostMemory);
}

describe("a server that is beset", () => {
  const type = "application/x-git-receive-pack-request";
  const pushTo = (...more: string[]): string =>
    head("POST", "/demo.git/git-receive-pack", [
      "Host: git.localhost",
      `Authorization: ${scene.authorization["authorization"] ?? ""}`,
      `Content-Type: ${type}`,
      ...more,
    ]);

  const goesOn = "Hit test time limit";
  const sentAway = "No open connections left";
  it.each([
    // nginx waits a quarter of a minute for the whole of them.
    ["headers", ["-H"], sentAway],
    // Its bodies are no pushes, which git sees from their first bytes: it sends them all away.
    ["bodies", ["-B", "-s", "100000"], sentAway],
    [
      "answers that are read slowly",
      ["-X", "-w", "10", "-y", "20", "-z", "5", "-n", "5", "-k", "3"],
      goesOn,
    ],
  ])("H8: by slowhttptest's slow %s serves others", async (_, mode, end) => {
    const { port } = scene.server;
    // It has no way to give a Host of its own, or credentials, but through these.
    const proxy = ["-d", `127.0.0.1:${port}`];
    const target = ["-u", `http://git.localhost:${port}/demo.git/git-receive-pack`];
    const forged = `${type}\r\nAuthorization: ${scene.authorization["authorization"] ?? ""}`;
    const verb = mode[0] === "-X" ? ["-t", "GET"] : ["-t", "POST", "-f", forged];
    const amount = ["-c", "300", "-r", "100", "-i", "3", "-x", "10", "-l", "30"];

    const beset = execa("slowhttptest", [...mode, ...proxy, ...target, ...verb, ...amount], {
      reject: false,
      all: true,
    });
    await expectOthersServed(beset);

    const all = stripVTControlCharacters((await beset).all);
    expect(all).toContain(end);
    if (mode[0] !== "-B") expect(all).toMatch(/connected: +300\b/);
    expect(all).not.toMatch(/service available: +NO/);
  });

  it("H8: by 300 pushes of which a byte comes every three seconds serves others", async () => {
    const commands = packetLine(
      `${"0".repeat(40)} ${"1".repeat(40)} refs/heads/drip\0report-status`,
    );
    const pushes = Array.from({ length: 300 }, () => {
      const socket = connect(scene.server.port, "127.0.0.1").on("error", () => undefined);
      socket.write(pushTo("Content-Length: 100000"));
      return socket;
    });
    let sent = 0;
    const drip = setInterval(() => {
      for (const socket of pushes) if (!socket.destroyed) socket.write(commands[sent] ?? "");
      sent += 1;
    }, 3000);

    await expectOthersServed(new Promise((resolve) => setTimeout(resolve, 30_000)));

    clearInterval(drip);
    expect(pushes.filter((socket) => socket.destroyed)).toEqual([]);
    for (const socket of pushes) socket.destroy();
  });

  it("H8: by 500 who connect and say nothing serves others", async () => {
    const silent: Socket[] = Array.from({ length: 500 }, () =>
      connect(scene.server.port, "127.0.0.1").on("error", () => undefined),
    );
    await expectOthersServed(new Promise((resolve) => setTimeout(resolve, 15_000)));
    for (const socket of silent) socket.destroy();
  });

  it(
    "H11: by a push of 300 megabytes, and by who fetches it and reads nothing, serves others",
    { timeout: 480_000 },
    async () => {
      const { demo, server } = scene;
      const blobs = [];
      for (let part = 0; part < 6; part++)
        blobs.push({ name: `part-${part}`, id: await demo.blob(randomBytes(50 * 1024 * 1024)) });
      const app = { name: "app.py", id: await demo.blob(plainApp("large")["app.py"] ?? "") };
      const commit = await demo.commitTree([app, ...blobs], "Large");

      const large = scene.push("http", [`${commit}:refs/heads/large`]);
      await expectOthersServed(large);

      const { exitCode, output } = await large;
      expect(exitCode, output).toBe(0);
      expect((await server.get("large--demo")).body).toBe("large");

      // Who fetches it and reads nothing is not read for.
      const request = `${packetLine(`want ${commit} side-band-64k ofs-delta\n`)}0000${packetLine("done\n")}`;
      const fetches = Array.from({ length: 3 }, () => {
        const socket = connect(server.port, "127.0.0.1").on("error", () => undefined);
        socket.pause();
        socket.write(
          head("POST", "/demo.git/git-upload-pack", [
            "Host: git.localhost",
            `Authorization: ${scene.authorization["authorization"] ?? ""}`,
            "Content-Type: application/x-git-upload-pack-request",
            `Content-Length: ${request.length}`,
          ]),
        );
        socket.write(request);
        return socket;
      });
      await expectOthersServed(new Promise((resolve) => setTimeout(resolve, 20_000)));
      expect(scene.hasGit).toBe(true);
      for (const socket of fetches) socket.destroy();
    },
  );

  it(
    "T7: by a push as large as it may be, which is cloned and fetched, serves others",
    { timeout: 900_000 },
    async () => {
      const large = throughAndBack(scene, { megabytes: 1000, beside: 0 });
      await expectOthersServed(large);

      expect(await large).toEqual(["1000 MB", "1000 MB"]);
      expect((await scene.server.get("large--demo")).body).toBe("large");
    },
  );

  it(
    "W4: by a push of four million objects, 64 megabytes, serves others",
    { timeout: 480_000 },
    async () => {
      const { server, main, ada } = scene;
      const ref = "refs/tags/many";
      const push = server.receivePack(
        "demo",
        pushOf(packOfMany(4_000_000), { value: main, ref }),
        `${ada.name}:${ada.token}`,
      );

      await expectOthersServed(push);

      // Whether main still is where the tag leads to is another matter.
      expect((await push).body).toContain("unpack ok");
      await scene.push("http", [`:${ref}`]);
    },
  );

  it("H2: by gzip that unfolds to ten gigabytes serves others", async () => {
    const bomb = await gzipBomb(100);
    const headers = [
      "Content-Encoding: gzip",
      `Content-Length: ${bomb.length}`,
      "Connection: close",
    ];
    const address = { port: scene.server.port, host: "127.0.0.1" };
    const bombs = Array.from({ length: 5 }, () =>
      sendRaw(address, [pushTo(...headers), bomb], { within: 60_000 }),
    );

    await expectOthersServed(Promise.all(bombs));
  });

  it(
    "H8: by a push that takes longer than five minutes takes it",
    { timeout: 600_000 },
    async () => {
      const { demo } = scene;
      const commit = await demo.commitBeside(
        { ...plainApp("slow"), noise: randomBytes(6000).toString("hex") },
        "Slow",
      );
      const commands = packetLine(
        `${"0".repeat(40)} ${commit} refs/heads/slow\0report-status side-band-64k\n`,
      );
      const body = Buffer.concat([Buffer.from(`${commands}0000`), await demo.pack([commit])]);
      const parts = 66;
      const size = Math.ceil(body.length / parts);
      const pieces = Array.from({ length: parts }, (_, part) =>
        body.subarray(part * size, (part + 1) * size),
      );

      const answer = await sendRaw(
        { port: scene.server.port, host: "127.0.0.1" },
        [pushTo(`Content-Length: ${body.length}`, "Connection: close"), ...pieces],
        { within: 400_000, every: 5000 },
      );

      expect(answer.text).toContain("ok refs/heads/slow");
      expect((await scene.server.get("slow--demo")).body).toBe("slow");
    },
  );

  it("B6: by a release that says nothing for a quarter of a minute tells the pusher that it lives", async () => {
    const { demo } = scene;
    const commit = await demo.commitBeside(plainApp("quiet", { importFor: 16 }), "Quiet");
    const commands = packetLine(
      `${"0".repeat(40)} ${commit} refs/heads/quiet\0report-status side-band-64k\n`,
    );
    const body = Buffer.concat([Buffer.from(`${commands}0000`), await demo.pack([commit])]);
    const gaps: number[] = [];
    const socket = connect(scene.server.port, "127.0.0.1");
    let last = performance.now();
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      gaps.push(performance.now() - last);
      last = performance.now();
      text += chunk.toString("latin1");
    });
    socket.write(pushTo(`Content-Length: ${body.length}`, "Connection: close"));
    socket.write(body);
    await new Promise((resolve) => socket.once("close", resolve));

    expect(text).toContain("ok refs/heads/quiet");
    expect(Math.max(...gaps)).toBeLessThan(8000);
  });
});
