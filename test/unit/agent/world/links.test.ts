import { mkdirSync, readdirSync, readlinkSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { Links } from "../../../../src/agent/world/links.ts";
import { ask } from "../../../../src/system/probe.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";

describe("the link of an instance", () => {
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
      socketPath: link,
      path: "/",
      headers: { Host: "demo" },
      within: 1000,
    });
    return "status" in answer ? { status: answer.status } : answer;
  };

  beforeEach(async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "links"));
    link = join(folder, "links", "demo.sock");
    vassal = join(folder, "demo.sock");
    understudy = join(folder, "demo.next-7.sock");
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
    expect(readdirSync(join(link, ".."))).toEqual(["demo.sock"]);
  });

  it("stays where it is when something newer has come", async () => {
    const links = new Links();
    await links.point(link, understudy);

    const late = links.point(link, vassal, () => {
      throw new Error("superseded");
    });

    await expect(late).rejects.toThrow("superseded");
    expect(readlinkSync(link)).toBe(understudy);
  });

  it("is moved by one at a time, in the order in which it was asked", async () => {
    const links = new Links();

    await Promise.all([
      links.point(link, vassal),
      links.point(link, understudy),
      links.point(link, vassal),
    ]);

    expect(readlinkSync(link)).toBe(vassal);
  });

  it("is forgotten with its link: what comes by the name is none that has just moved", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    onTestFinished(() => void vi.useRealTimers());
    const links = new Links();
    vi.advanceTimersByTime(60);
    await links.point(link, vassal);
    expect(links.restsFor(link)).toBe(0);

    await links.remove(link);

    expect(readdirSync(join(link, ".."))).toEqual([]);
    expect(links.restsFor(link)).toBe(60);
  });

  it("can be moved again after a move that failed", async () => {
    const links = new Links();
    await expect(links.point(join(link, "none", "x.sock"), vassal)).rejects.toThrow();

    await links.point(link, vassal);

    expect(readlinkSync(link)).toBe(vassal);
  });
});
