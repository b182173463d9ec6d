import Database from "libsql";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { coverageOf } from "../../../../../src/agent/deploy/steps/coverage.ts";
import type { Preparation } from "../../../../../src/agent/deploy/step.ts";
import { CommandFailed } from "../../../../../src/system/system.ts";
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

describe("requirements that pip's parser does not get through", () => {
  const command = { file: "python3", args: [] };
  const failed = (outcome: { output: string; timedOut: boolean }) =>
    Promise.reject(new CommandFailed(command, { exitCode: 1, ...outcome }));
  const ends: [how: string, run: () => Promise<string>, message: string][] = [
    ["in time", () => failed({ output: "", timedOut: true }), "longer, or more memory"],
    [
      "in memory",
      () => failed({ output: "MemoryError", timedOut: false }),
      "longer, or more memory",
    ],
    ["with words that are known", () => Promise.resolve("no JSON"), "cannot be looked through"],
    [
      "for another reason",
      () => failed({ output: "no such file", timedOut: false }),
      "no such file",
    ],
    ["for want of a process", () => Promise.reject(new Error("no room")), "no room"],
  ];
  it.each(ends)("are refused, and nothing of them is kept: %s", async (_, run, message) => {
    const { preparation: asked } = preparation();
    Object.assign(asked.context, { system: { isRoot: false, run } });

    await expect(coverageOf(asked, files)).rejects.toThrow(message);

    expect(asked.context.store.requirements.coverage(asked.deploy)).toBeUndefined();
  });
});
