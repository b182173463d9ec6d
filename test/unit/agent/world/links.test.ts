import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { socketBehind } from "../../../../src/names/instance.ts";
import { linkedSocket, Links } from "../../../../src/agent/world/links.ts";
import { ask } from "../../../../src/system/probe.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";

describe("the link of an instance", () => {
  let folder: string;
  let link: string;
  let vassal: string;
  let understudy: string;
  const servers: Server[] = [];

  /** A server behind a unix socket, which answers with this status. */
  const listen = async (path: string, status: number): Promise<void> => {
    const server = createServer((_, response) => response.writeHead(status).end());
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(path, resolve));
  };

  const status = async (): Promise<unknown> => {
    const answer = await ask({
      socketPath: socketBehind(link),
      path: "/",
      headers: { Host: "demo" },
      within: 1000,
    });
    return "status" in answer ? { status: answer.status } : answer;
  };

  beforeEach(async () => {
    const home = temporaryFolder();
    folder = join(home, "links");
    mkdirSync(folder);
    link = join(folder, "demo");
    vassal = join(home, "demo.sock");
    understudy = join(home, "demo.next-7.sock");
    await listen(vassal, 200);
    await listen(understudy, 201);
  });
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  it("leads to an understudy and back, and every connection finds somebody", async () => {
    const links = new Links();

    await links.point(link, vassal);
    expect(await status()).toEqual({ status: 200 });
    await links.point(link, understudy);
    expect(await status()).toEqual({ status: 201 });
    await links.point(link, vassal);

    expect(await status()).toEqual({ status: 200 });
    expect(readdirSync(folder)).toEqual(["demo", "demo.a", "demo.b"]);
  });

  it("moves by one rename: what it led to before is as it was", async () => {
    const links = new Links();
    await links.point(link, vassal);
    const before = readlinkSync(link);
    const inode = statSync(join(folder, before)).ino;

    await links.point(link, understudy);

    expect(readlinkSync(link)).not.toBe(before);
    expect(readlinkSync(socketBehind(join(folder, before)))).toBe(vassal);
    expect(statSync(join(folder, before)).ino).toBe(inode);
  });

  it("is nginx's to pass through, whatever the agent's files are for others", async () => {
    const former = process.umask(0o027);
    try {
      await new Links().point(link, vassal);
    } finally {
      process.umask(former);
    }

    expect(statSync(link).mode & 0o777).toBe(0o755);
  });

  it("moves on where a stop had laid out the next folder, or half of it", async () => {
    await new Links().point(link, vassal);
    mkdirSync(join(folder, "demo.b"));
    symlinkSync("/nowhere", join(folder, "demo.b", ".socket.tmp"));
    chmodSync(join(folder, "demo.b"), 0o700);
    symlinkSync("demo.b", join(folder, ".demo.tmp"));

    await new Links().point(link, understudy);

    expect(await linkedSocket(link)).toBe(understudy);
    expect(statSync(link).mode & 0o777).toBe(0o755);
    expect(readdirSync(folder)).toEqual(["demo", "demo.a", "demo.b"]);
    expect(readdirSync(link)).toEqual(["socket"]);
  });

  it.each([
    ["that is gone", () => rmSync(link)],
    [
      "that leads nowhere",
      () => {
        rmSync(link);
        symlinkSync("/nowhere", link);
      },
    ],
    ["whose folder is gone", () => rmSync(join(folder, "demo.a"), { recursive: true })],
    [
      "that somebody made by hand",
      () => {
        rmSync(link);
        mkdirSync(join(folder, "mine"));
        symlinkSync(understudy, join(folder, "mine", "socket"));
        symlinkSync(join(folder, "mine"), link);
      },
    ],
  ])("is put right where it is one %s", async (_, change) => {
    const links = new Links();
    await links.point(link, vassal);
    change();

    await links.point(link, vassal);

    expect(await status()).toEqual({ status: 200 });
  });

  it("leads where somebody made it lead by hand", async () => {
    mkdirSync(join(folder, "demo.b"));
    symlinkSync(understudy, join(folder, "demo.b", "socket"));
    symlinkSync("demo.b", link);

    expect(await linkedSocket(link)).toBe(understudy);
    await new Links().point(link, vassal);

    expect(await status()).toEqual({ status: 200 });
    expect(readlinkSync(join(folder, "demo.b", "socket"))).toBe(understudy);
  });

  it("leads to nobody where there is none", async () => {
    expect(await linkedSocket(link)).toBeUndefined();
  });

  it("stays where it is when something newer has come", async () => {
    const links = new Links();
    await links.point(link, understudy);

    const late = links.point(link, vassal, () => {
      throw new Error("superseded");
    });

    await expect(late).rejects.toThrow("superseded");
    expect(await linkedSocket(link)).toBe(understudy);
  });

  it("is moved by one at a time, in the order in which it was asked", async () => {
    const links = new Links();

    await Promise.all([
      links.point(link, vassal),
      links.point(link, understudy),
      links.point(link, vassal),
    ]);

    expect(await linkedSocket(link)).toBe(vassal);
  });

  it("is removed with its folders, and forgotten: what comes by the name is none that has just moved", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    onTestFinished(() => void vi.useRealTimers());
    const links = new Links();
    vi.advanceTimersByTime(60);
    await links.point(link, vassal);
    expect(links.restsFor(link)).toBe(0);
    await links.point(link, understudy);

    await links.remove(link);
    await links.remove(link);

    expect(readdirSync(folder)).toEqual([]);
    expect(links.restsFor(link)).toBe(60);
    expect(existsSync(vassal)).toBe(true);
  });

  it("can be moved again after a move that failed", async () => {
    const links = new Links();
    await expect(links.point(join(link, "none", "x"), vassal)).rejects.toThrow();

    await links.point(link, vassal);

    expect(await linkedSocket(link)).toBe(vassal);
  });
});
