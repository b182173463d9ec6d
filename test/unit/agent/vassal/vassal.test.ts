import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { embeddedLayout } from "../../../../src/config/layout.ts";
import { mergeLogs, provideLog } from "../../../../src/agent/vassal/app-log.ts";
import { emperorOf, listVassals, wakeEmperor } from "../../../../src/agent/vassal/emperor.ts";
import { proveHealthy } from "../../../../src/agent/vassal/vassal.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";
import { isRoot, nobody } from "../../../support/unit-identity.ts";

describe("a vassal that is to be proven", () => {
  it("is not blamed where the Emperor is gone", async () => {
    const folder = temporaryFolder();
    const emperor = emperorOf(embeddedLayout(folder));
    const [ini, socket, log] = ["ini", "sock", "log"].map((end) => join(folder, `demo.${end}`));
    const vassal = { ini: ini!, socket: socket!, log: log! };
    const check = { request: { path: "/", headers: {} }, status: 0, deadline: 10_000 };

    await expect(proveHealthy(emperor, vassal, check)).rejects.toMatchObject({
      code: "EMPEROR_DOWN",
    });
  });
});

describe("a vassal's log", () => {
  it("is there before the vassal, is the app's own, and keeps what it holds", async () => {
    const path = join(temporaryFolder(), "demo.log");
    await provideLog(path, nobody, isRoot);
    writeFileSync(path, "a line\n");

    await provideLog(path, nobody, isRoot);

    expect(readFileSync(path, "utf8")).toBe("a line\n");
    expect(statSync(path)).toMatchObject({ uid: nobody.uid, gid: nobody.gid });
    expect(statSync(path).mode & 0o007).toBe(0);
  });

  it("is not made through a link, nor is what the link leads to given away", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "secret"), "");
    symlinkSync("secret", join(folder, "demo.log"));

    await expect(provideLog(join(folder, "demo.log"), nobody, isRoot)).rejects.toThrow("ELOOP");

    expect(statSync(join(folder, "secret")).uid).toBe(process.getuid?.());
  });

  it("takes in the understudy's, which then is gone", async () => {
    const folder = temporaryFolder();
    const [from, into] = [join(folder, "demo.next-1.log"), join(folder, "demo.log")];
    writeFileSync(from, "two\n");
    writeFileSync(into, "one\n");

    await mergeLogs(from, into);
    await mergeLogs(from, into);

    expect(readFileSync(into, "utf8")).toBe("one\ntwo\n");
    expect(existsSync(from)).toBe(false);
  });

  it("takes nothing in through a link, on either side", async () => {
    const folder = temporaryFolder();
    const link = join(folder, "link.log");
    writeFileSync(join(folder, "secret"), "secret\n");
    writeFileSync(join(folder, "own.log"), "own\n");
    symlinkSync("secret", link);

    await expect(mergeLogs(link, join(folder, "own.log"))).rejects.toThrow("ELOOP");
    await expect(mergeLogs(join(folder, "own.log"), link)).rejects.toThrow("ELOOP");

    expect(readFileSync(join(folder, "own.log"), "utf8")).toBe("own\n");
    expect(readFileSync(join(folder, "secret"), "utf8")).toBe("secret\n");
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
  });
});

describe("an Emperor that is gone", () => {
  function nowhere() {
    const emperor = emperorOf(embeddedLayout(temporaryFolder()));
    mkdirSync(dirname(emperor.pidFile), { recursive: true });
    return emperor;
  }

  it("is said to be down by who asks for its vassals", async () => {
    await expect(listVassals(nowhere())).rejects.toMatchObject({ code: "EMPEROR_DOWN" });
  });

  it.each(["", "not JSON", "{}", '{"pid": 1, "vassals": [{"id": 7}]}'])(
    "is as good as down when it answers %j",
    async (words) => {
      const emperor = nowhere();
      const server = createServer((connection) => connection.end(words));
      await new Promise<void>((resolve) => server.listen(emperor.statsSocket, resolve));
      onTestFinished(() => void server.close());

      await expect(listVassals(emperor)).rejects.toMatchObject({ code: "EMPEROR_DOWN" });
    },
  );

  it.each([
    ["no pid file", undefined],
    ["an empty one", ""],
    ["one that names nobody", "4194305\n"],
    ["one that is no number", "all\n"],
  ])("cannot be woken: %s", async (_, text) => {
    const emperor = nowhere();
    if (text !== undefined) writeFileSync(emperor.pidFile, text);

    await expect(wakeEmperor(emperor)).rejects.toMatchObject({ code: "EMPEROR_DOWN" });
  });

  it("is woken when what it is to see is there, also one that was started anew meanwhile", async () => {
    const emperor = nowhere();
    const script = "trap 'echo woken' WINCH; echo ready; while :; do sleep 0.02; done";
    const another = spawn("sh", ["-c", script, "uwsgi"], { stdio: ["ignore", "pipe", "ignore"] });
    onTestFinished(() => void another.kill("SIGKILL"));
    await once(another.stdout, "data");
    writeFileSync(emperor.pidFile, "4194305\n");
    const seen: string[] = [];
    const woken = once(another.stdout, "data").then(() => seen.push("woken"));

    const writing = new Promise((resolve) => setTimeout(resolve, 50)).then(() => {
      writeFileSync(emperor.pidFile, `${another.pid}\n`);
      seen.push("written");
    });
    await wakeEmperor(emperor, writing);
    await woken;

    expect(seen).toEqual(["written", "woken"]);
  });
});
