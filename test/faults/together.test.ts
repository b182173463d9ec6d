import { appendFileSync, cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { projectRoot, type TestServer } from "../support/server.ts";
import { withServer } from "../support/with-server.ts";
import { isLong } from "./stage.ts";

const rounds = isLong ? 20 : 2;
const apps = isLong ? 20 : 4;

describe("pushes at the same time", () => {
  const server = withServer();

  it("to one app: one wins, and the other is told before anything was built for it", async () => {
    const hooks = server.path("etc/hooks");
    // The window between the end of `update` and the move of the branch, held open.
    const workspaces = await Promise.all([
      server.workspace("demo", plainApp("first of one")),
      server.workspace("demo", plainApp("first of two")),
    ]);
    await workspaces[0].git("push", "--quiet", "deploy", "main");
    await server.settled("demo");
    widen(server, hooks);

    for (let round = 0; round < rounds; round += 1) {
      const texts = workspaces.map((_, index) => `${index} in round ${round}`);
      const commits = await Promise.all(
        workspaces.map((workspace, index) =>
          workspace.commitBeside(plainApp(texts[index]!), texts[index]!),
        ),
      );
      const pushes = await Promise.all(
        workspaces.map((workspace, index) => workspace.push(`+${commits[index]!}:main`)),
      );

      const won = pushes.filter(({ exitCode }) => exitCode === 0);
      const lost = pushes.filter(({ exitCode }) => exitCode !== 0);
      expect(won, pushes.map(({ output }) => output).join("\n---\n")).toHaveLength(1);
      expect(lost[0]?.output).not.toMatch(/^remote: {3}boot /m);
      expect(lost[0]?.output).toMatch(/error\[REF_MOVED\]|failed to update ref|stale info/);
      const index = pushes.findIndex(({ exitCode }) => exitCode === 0);
      expect((await server.get("demo")).body).toBe(texts[index]);
      expect(await workspaces[0].remoteCommit()).toBe(commits[index]);
    }
    await server.settled("demo");
  });

  it("to as many apps: all of them are right", async () => {
    const names = Array.from({ length: apps }, (_, index) => `app-${index}`);
    const workspaces = await Promise.all(
      names.map((name) => server.workspace(name, plainApp(`${name} one`))),
    );

    for (const text of ["one", "two"]) {
      const pushes = await Promise.all(
        workspaces.map((workspace, index) =>
          workspace.deploy(plainApp(`${names[index] ?? ""} ${text}`), text),
        ),
      );

      for (const [index, push] of pushes.entries()) {
        const name = names[index] ?? "";
        expect(push.exitCode, push.output).toBe(0);
        expect((await server.get(name)).body).toBe(`${name} ${text}`);
        expect(await workspaces[index]?.remoteCommit()).toBe(push.commit);
      }
    }
    for (const name of names) await server.settled(name);
  });
});

/** reeve's own hooks, with a pause at the end of `update`. */
function widen(server: TestServer, hooks: string): void {
  cpSync(join(projectRoot, "hooks"), hooks, { recursive: true });
  appendFileSync(join(hooks, "update"), "verdict=$?\nsleep 0.5\nexit $verdict\n");
  const path = server.path("etc/git.conf");
  const configuration = server.read("etc/git.conf");
  writeFileSync(path, configuration.replace(/hooksPath = .*/, `hooksPath = ${hooks}`));
}
