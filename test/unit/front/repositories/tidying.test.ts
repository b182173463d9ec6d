import { existsSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import type { AgentClient } from "../../../../src/protocol/client.ts";
import { Tidying } from "../../../../src/front/repositories/tidying.ts";
import { unclaimedPath } from "../../../../src/system/git.ts";
import { LocalSystem } from "../../../../src/system/system.ts";
import { Repository } from "../../../support/unit-repository.ts";
import { eventually } from "../../../support/server.ts";

type Work = (signal: AbortSignal) => Promise<boolean>;

/** A repository whose branch has left a commit behind, and was noted to have. */
function withSomethingLeft() {
  const repository = new Repository();
  const kept = repository.snapshot({ "app.py": "kept\n" });
  const left = repository.snapshot({ "app.py": "left\n" });
  const current = repository.snapshot({ "app.py": "current\n" });
  note(repository);
  return { repository, kept, left, current };
}

function note({ folder }: Repository, secondsAgo = 60): void {
  writeFileSync(unclaimedPath(folder), "");
  const then = Date.now() / 1000 - secondsAgo;
  utimesSync(unclaimedPath(folder), then, then);
}

function has(repository: Repository, id: string): boolean {
  try {
    repository.run(["cat-file", "-e", id]);
    return true;
  } catch {
    return false;
  }
}

function tidyingOf(
  repository: Repository,
  pinned: string[] = [],
  whileIdle = (_: string, work: Work) => work(new AbortController().signal),
): Tidying {
  const ask = (): Promise<null> => {
    for (const commit of pinned)
      repository.run(["update-ref", `refs/reeve/releases/demo/${commit}`, commit]);
    return Promise.resolve(null);
  };
  const agent: unknown = { ask };
  return new Tidying({
    system: new LocalSystem(),
    log: pino({ level: "silent" }),
    gitOf: () => repository.git,
    repositories: { list: () => Promise.resolve(["demo"]) },
    agent: agent as Pick<AgentClient, "ask">,
    apps: { whileIdle },
  });
}

describe("tidying a repository", () => {
  it("removes what no ref leads to, and nothing that a kept release needs", async () => {
    const { repository, kept, left, current } = withSomethingLeft();

    await tidyingOf(repository, [kept]).next();

    expect([kept, left, current].map((id) => has(repository, id))).toEqual([true, false, true]);
    expect(existsSync(unclaimedPath(repository.folder))).toBe(false);
  });

  it("removes it from packs as well, and what a git that was killed has begun", async () => {
    const { repository, left, current } = withSomethingLeft();
    repository.run(["repack", "-a", "-d", "-q", "--keep-unreachable"]);
    const pack = join(repository.folder, "objects", "pack");
    writeFileSync(join(pack, "tmp_pack_x"), "begun");

    await tidyingOf(repository).next();

    expect([has(repository, left), has(repository, current)]).toEqual([false, true]);
    expect(readdirSync(pack).filter((name) => name.includes("tmp"))).toEqual([]);
  });

  it("waits a moment after a push, and does nothing twice", async () => {
    const { repository, left } = withSomethingLeft();
    let tidied = 0;
    const counting = (_: string, work: Work): Promise<boolean> => {
      tidied += 1;
      return work(new AbortController().signal);
    };
    const tidying = tidyingOf(repository, [], counting);
    note(repository, 0);
    await tidying.next();
    expect([tidied, has(repository, left)]).toEqual([0, true]);
    note(repository);

    await tidying.next();
    await tidying.next();

    expect([tidied, has(repository, left)]).toEqual([1, false]);
  });

  it("leaves a repository whole where a push comes between, and does it later", async () => {
    const { repository, left, current } = withSomethingLeft();
    let isPushed = true;
    const tidying = tidyingOf(repository, [], async (_, work) => {
      const signal = isPushed ? AbortSignal.abort() : new AbortController().signal;
      return work(signal).catch(() => false);
    });

    await tidying.next();
    expect([left, current].map((id) => has(repository, id))).toEqual([true, true]);
    isPushed = false;
    await tidying.next();

    expect([left, current].map((id) => has(repository, id))).toEqual([false, true]);
  });

  it("packs what many pushes have left loose", async () => {
    const { repository } = withSomethingLeft();
    const tidying = tidyingOf(repository);
    await tidying.next();
    for (let index = 0; index < 2100; index++) tidying.pushed("demo");
    const names = Array.from({ length: 70 }, (_, index) => `${index}.txt`);
    for (let round = 0; round < 31; round++)
      repository.commit(Object.fromEntries(names.map((name) => [name, `${round} ${name}\n`])));

    // What came after its first look waits for twenty times as long as that took.
    await eventually(async () => {
      await tidying.next();
      return repository.run(["count-objects"]).startsWith("0 objects");
    }, 20_000);
  });
});
