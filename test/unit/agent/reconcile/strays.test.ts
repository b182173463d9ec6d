import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { removeStrays } from "../../../../src/agent/reconcile/strays.ts";
import { linkedSocket, linkFolders } from "../../../../src/agent/world/links.ts";
import { pathsOf } from "../../../../src/agent/world/context.ts";
import { agentWorld, place } from "../../../support/unit-agent.ts";

describe("what a stop left half written", () => {
  it("is removed where nginx's links are, and in the folders that they lead to in turns", async () => {
    const world = agentWorld();
    const { context, layout } = world;
    place(world, "shop");
    const { link } = pathsOf(context, "shop--demo");
    const socket = join(layout.sockets, "shop--demo.rel-1.sock");
    await context.links.point(link, socket);
    const [, other] = linkFolders(link);
    mkdirSync(other);
    const left = [
      join(layout.links, ".shop--demo.tmp"),
      ...linkFolders(link).map((folder) => join(folder, ".socket.tmp")),
    ];
    for (const path of left) symlinkSync("/nowhere", path);
    const said: string[] = [];

    await removeStrays(context, true, (name, what) => said.push(`${name}: ${what}`));

    expect(said).toEqual([
      ".shop--demo.tmp: left over, removed",
      ".socket.tmp: left over, removed",
      ".socket.tmp: left over, removed",
    ]);
    expect(readdirSync(layout.links)).toEqual(["shop--demo", "shop--demo.a", "shop--demo.b"]);
    expect(readdirSync(other)).toEqual([]);
    expect(await linkedSocket(link)).toBe(socket);
  });

  it("stays for as long as somebody may be about to rename it", async () => {
    const { context, layout } = agentWorld();
    const path = join(layout.vassals, ".demo.ini.tmp");
    writeFileSync(path, "");

    await removeStrays(context, false, () => undefined);

    expect(existsSync(path)).toBe(true);
  });
});
