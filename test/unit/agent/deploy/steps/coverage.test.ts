import Database from "libsql";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { coverageOf } from "../../../../../src/agent/deploy/steps/coverage.ts";
import type { Preparation } from "../../../../../src/agent/deploy/step.ts";
import { AgentStore } from "../../../../../src/agent/store/store.ts";
import { temporaryFolder } from "../../../../support/unit-folder.ts";
import { nobody, UnprivilegedSystem } from "../../../../support/unit-identity.ts";

interface Asked {
  asked: number;
  preparation: Preparation;
  /** Somebody writes into the column itself. */
  damage: (text: string) => void;
}

/** A deploy of whose context only this much is asked. */
function preparation(): Asked {
  const path = join(temporaryFolder(), "agent.db");
  const store = new AgentStore(path);
  onTestFinished(() => store.close());
  store.apps.create("demo");
  const { id } = store.deploys.start({
    ...{ app: "demo", instance: "demo", reason: "push", account: "ada", ref: "refs/heads/main" },
    ...{ oldCommit: "", newCommit: "", holder: { pid: 1, startTime: 1, turn: 0 } },
  });
  store.requirements.keep(id, files);
  const server = {
    ...{ build_processes: 100, build_address_space: 4096, build_file_size: 10 },
    ...{ build_open_files: 100, build_deadline: 60, python: "/usr/bin/python3" },
  };
  const seen = { asked: 0 };
  const context = {
    system: new UnprivilegedSystem(),
    config: { server, layout: { home: "/nonexistent" } },
    store,
    builders: {
      count: 1,
      use: (_: unknown, work: (builder: unknown) => unknown) => {
        seen.asked += 1;
        return work({ user: nobody, groups: [], isClean: true });
      },
    },
  };
  const signal = new AbortController().signal;
  const deploy = store.deploys.get(id);
  return Object.assign(seen, {
    preparation: { context, deploy, line: () => undefined, signal } as unknown as Preparation,
    damage: (text: string) => {
      const database = new Database(path);
      database.prepare("UPDATE requirements SET coverage = ?").run([text]);
      database.close();
    },
  });
}

const files = [{ path: "requirements.txt", text: "-f wheels\n-r nosuch.txt\n" }];

describe("what requirements cover", () => {
  it("is asked of pip's parser once, and then known", async () => {
    const text = "flask\n./libs/x  # ours\n";
    const deploy = preparation();

    const first = await coverageOf(deploy.preparation, [{ path: "requirements.txt", text }]);
    const again = await coverageOf(deploy.preparation, [{ path: "requirements.txt", text }]);

    expect(first.local).toMatchObject([{ path: "libs/x" }]);
    expect(again).toEqual(first);
    expect(deploy.asked).toBe(1);
  });

  it("is nothing without requirements, and nobody is asked", async () => {
    const deploy = preparation();

    expect((await coverageOf(deploy.preparation, [])).files).toEqual([]);
    expect(deploy.asked).toBe(0);
  });

  it.each(['{"version":0}', '{"version":'])("is asked again where %s is kept", async (kept) => {
    const deploy = preparation();
    deploy.damage(kept);

    await coverageOf(deploy.preparation, [{ path: "requirements.txt", text: "flask\n" }]);

    expect(deploy.asked).toBe(1);
  });

  it("is refused where a file is missing", async () => {
    const refused = coverageOf(preparation().preparation, files);

    await expect(refused).rejects.toMatchObject({ code: "BUILD_TREE_INVALID" });
  });
});
