import { describe, expect, it } from "vitest";
import { allowLogin, findLogin } from "../../../src/host/identity.ts";
import { RecordingHost } from "../../support/unit-host.ts";

function hostWith(line: string): RecordingHost {
  return new RecordingHost({ isRoot: true }).answering("getent passwd reeve", `${line}\n`);
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
});
