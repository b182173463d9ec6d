import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { appWithDaemon, plainApp } from "../support/apps.ts";
import { eventually } from "../support/server.ts";
import { withApp, withServer } from "../support/with-server.ts";

const mark = randomUUID();
/** `ROUNDS=all` tries a machine without control groups as well. */
const isLong = process.env["ROUNDS"] !== undefined;

/** The daemons of this test that run, by the text of their release. */
function daemons(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        const own = words[0] === "sh" ? words.find((word) => word.includes(mark)) : undefined;
        return own?.trim().split(" ").at(-1) ?? [];
      } catch {
        return [];
      }
    })
    .sort();
}

// A machine without control groups is one that does not see their file systems.
const withoutGroups = [
  ...["unshare", "--mount", "--", "sh", "-c"],
  'for folder in $(grep -o "/sys/fs/cgroup[^ ]*" /proc/mounts | sort -r); do umount -l "$folder"; done; exec "$0" "$@"',
];

const machines: [string, string[]][] = [
  ["in control groups", []],
  ["where there are no control groups, by its user", withoutGroups],
];

describe.runIf(process.getuid?.() === 0).each(isLong ? machines : machines.slice(0, 1))(
  "what an app leaves running, %s",
  (_, wrapper) => {
    const server = withServer([], { wrapper });

    it("is said to be looked for by its user, where there is no better way", () => {
      const words = "gives no control groups";

      expect(server.said.includes(words)).toBe(wrapper.length > 0);
    });

    it("ends with its release", async () => {
      const app = await server.workspace("demo", appWithDaemon("one", mark));
      await app.push();
      await server.settled("demo");
      expect(daemons()).toEqual(["one"]);

      const { exitCode, output } = await app.deploy(appWithDaemon("two", mark));

      expect(exitCode, output).toBe(0);
      await server.settled("demo");
      expect(daemons()).toEqual(["two"]);
      expect((await server.get("demo")).body).toBe("two");
    });

    it("ends with a release that is refused", async () => {
      const broken =
        appWithDaemon("refused", mark)["app.py"]?.replace('"200 OK"', '"500 No"') ?? "";
      const app = await server.workspace("refused", { "app.py": broken });

      expect((await app.push()).exitCode).toBe(1);

      await eventually(() => !daemons().includes("refused"));
    });

    it("ends with its preview, and its app's goes on", async () => {
      const app = await server.workspace("kept", appWithDaemon("kept", mark));
      await app.push();
      await app.deploy(appWithDaemon("kept", mark));
      await app.commit("A preview");
      app.write(appWithDaemon("preview", mark));
      await app.commit("A preview");
      expect((await app.push("HEAD:refs/heads/look")).exitCode).toBe(0);
      await server.asleepAfterPush("look--kept");
      await server.get("look--kept");
      await eventually(() => daemons().includes("preview"));

      const removed = await app.push(":look");

      expect(removed.exitCode, removed.output).toBe(0);
      await eventually(() => !daemons().includes("preview"));
      await server.settled("kept");
      expect(daemons()).toContain("kept");
    });

    it("ends with its app", async () => {
      await server.settled("kept");

      expect((await server.reeve("destroy", "kept", "--yes")).exitCode).toBe(0);

      expect(daemons()).not.toContain("kept");
    });

    it.skipIf(wrapper.length > 0)("ends with the server", async () => {
      await server.settled("demo");

      await server.interrupt();

      expect(daemons()).toEqual([]);
      await server.up();
      await server.settled("demo");
      expect((await server.get("demo")).body).toBe("two");
    });
  },
);

describe.runIf(process.getuid?.() === 0)("an app that takes more than it may", () => {
  const server = withServer();
  withApp(server, "other", plainApp("other"));

  it("is held by its control group where that limits memory, and its neighbour is not", async (test) => {
    const hungry = plainApp("fed")["app.py"]?.replace(
      "def app(environ, start_response):",
      'def app(environ, start_response):\n    if environ["PATH_INFO"] == "/eat": len(b"x" * 400_000_000)',
    );
    const app = await server.workspace("hungry", { "app.py": hungry ?? "" });
    await server.reeve("create", "hungry");
    await server.reeve("options", "hungry", "set", "memory=100");
    const { exitCode, output } = await app.push();
    expect(exitCode, output).toBe(0);
    if (!server.read("etc/vassals/hungry.next-1.ini").includes("group-memory = 100"))
      test.skip("this machine has no memory controller");

    const { status } = await server.get("hungry", "/eat");

    expect(status).toBe(502);
    expect((await server.get("other")).body).toBe("other");
    await eventually(async () => (await server.get("hungry")).body === "fed");
  });
});
