import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { pino } from "pino";
import { embeddedLayout } from "../../../../src/config/layout.ts";
import { accountCommands } from "../../../../src/front/commands/accounts.ts";
import type { Asked } from "../../../../src/front/commands/command.ts";
import { keyCommands } from "../../../../src/front/commands/keys.ts";
import { AuthorizedKeys } from "../../../../src/front/accounts/authorized-keys.ts";
import { Repositories } from "../../../../src/front/repositories/repositories.ts";
import { LocalSystem } from "../../../../src/system/system.ts";
import { FrontStore } from "../../../../src/front/store/store.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";

const parts = [Buffer.from("ssh-ed25519"), Buffer.alloc(32, 7)];
const body = Buffer.concat(parts.flatMap((part) => [Buffer.of(0, 0, 0, part.length), part]));
const key = `ssh-ed25519 ${body.toString("base64")} ada@example`;

/** None of these looks at who asks: that was judged before. */
const nobody = {} as Asked;

/** The file that sshd reads can be written only while its folder is there. */
function setUp() {
  const layout = embeddedLayout(temporaryFolder());
  const store = new FrontStore(join(layout.home, "front.db"));
  onTestFinished(() => store.close());
  for (const name of ["ada", "bob"]) store.accounts.add(name, false);
  const world = {
    store,
    authorizedKeys: new AuthorizedKeys(layout, store),
    repositories: new Repositories(layout, new LocalSystem()),
    log: pino({ level: "silent" }),
  };
  const commands = { ...accountCommands(world), ...keyCommands(world) };
  const folder = dirname(layout.authorizedKeys);
  mkdirSync(folder, { recursive: true });
  const readKeys = (): string => readFileSync(layout.authorizedKeys, "utf8");
  return { store, commands, readKeys, folder };
}

describe("a key, where the file that sshd reads cannot be written", () => {
  it("is not kept for the next time that it can, if somebody hears that it was not added", async () => {
    const { store, commands, readKeys, folder } = setUp();
    rmSync(folder, { recursive: true });

    await expect(commands.addKey.run({ account: "ada", key }, nobody)).rejects.toThrow("ENOENT");

    mkdirSync(folder);
    await commands.removeAccount.run({ account: "bob" }, nobody);
    expect(readKeys()).toBe("");
    expect(store.keys.all()).toEqual([]);
  });

  it("is taken back all the same: reeve itself lets nobody in by it", async () => {
    const { store, commands, folder } = setUp();
    const { fingerprint } = await commands.addKey.run({ account: "ada", key }, nobody);
    rmSync(folder, { recursive: true });

    expect(await commands.removeKey.run({ fingerprint }, nobody)).toBeUndefined();
    expect(await commands.removeAccount.run({ account: "ada" }, nobody)).toBeUndefined();

    expect(store.keys.all()).toEqual([]);
    expect(store.accounts.get("ada")).toBeUndefined();
  });
});
