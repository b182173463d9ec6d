import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LocalSystem } from "../../../src/system/system.ts";
import {
  allowLogin,
  ensureIdentity,
  findLogin,
  ownIdentity,
  sshLogin,
} from "../../../src/system/identity.ts";
import { RecordingSystem } from "../../support/unit-system.ts";

function hostWith(line: string): RecordingSystem {
  return new RecordingSystem({ isRoot: true }).answering("getent passwd reeve", `${line}\n`);
}

describe("a user that sshd can log in", () => {
  it.each([
    ["with a shell and a home", "reeve:x:999:995::/:/bin/sh", true],
    ["without a shell", "reeve:x:999:995::/:/usr/sbin/nologin", false],
    ["with a shell that is none", "reeve:x:999:995::/:/bin/false", false],
    ["without a home", "reeve:x:999:995::/nonexistent:/bin/sh", false],
  ])("%s: %s, %s", async (_, line, isOpen) => {
    const host = hostWith(line);

    expect((await findLogin(host, "reeve")) !== undefined).toBe(isOpen);
    await allowLogin(host, "reeve");

    expect(host.lines.filter((command) => command.startsWith("usermod"))).toEqual(
      isOpen ? [] : ["usermod --shell /bin/sh --home / reeve"],
    );
  });

  it("is made with a shell and a home: usermod gives none to a user that has processes", async () => {
    const host = new RecordingSystem({ isRoot: true }).failing("getent", "", 2);

    await expect(ensureIdentity(host, "reeve", sshLogin)).rejects.toThrow("useradd made no user");

    expect(host.lines[1]).toBe(
      "flock --close /etc/.pwd.lock useradd --system --user-group --no-create-home --home-dir / --shell /bin/sh -- reeve",
    );
  });

  it("is none while its processes keep usermod from changing it, and the administrator is told", async () => {
    const said = "usermod: user reeve is currently used by process 42";
    const host = hostWith("reeve:x:999:995::/nonexistent:/usr/sbin/nologin");

    const refused = allowLogin(host.failing("usermod", said, 8), "reeve");

    await expect(refused).rejects.toMatchObject({
      code: "SYSTEM_REFUSED",
      message: `the user reeve has no shell, and sshd needs one:\n${said}`,
    });
  });
});

describe.runIf(ownIdentity().uid === 0)("a user that two servers make at once", () => {
  const name = "reeve-twice";
  const clear = () => spawnSync("userdel", [name]);
  beforeAll(clear);
  afterAll(clear);

  it("is one user for both", async () => {
    const system = new LocalSystem();

    const made = await Promise.all([1, 2, 3].map(() => ensureIdentity(system, name, sshLogin)));

    expect(new Set(made.map(({ uid }) => uid)).size).toBe(1);
    expect(await findLogin(system, name)).toEqual(sshLogin);
  });
});
