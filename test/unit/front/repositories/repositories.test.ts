import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { embeddedLayout } from "../../../../src/config/layout.ts";
import { LocalSystem } from "../../../../src/system/system.ts";
import { Repositories } from "../../../../src/front/repositories/repositories.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";

const execFileAsync = promisify(execFile);

function fresh() {
  const layout = embeddedLayout(temporaryFolder());
  for (const folder of [layout.repositories, layout.frontState, layout.etc])
    mkdirSync(folder, { recursive: true });
  writeFileSync(layout.gitConfiguration, "");
  return { layout, repositories: new Repositories(layout, new LocalSystem()) };
}

describe("the repositories", () => {
  it("are made bare and empty, with main for a head, no hooks, and for nobody else to read", async () => {
    const { repositories } = fresh();

    await repositories.create("demo");

    const path = repositories.path("demo");
    const git = (...words: string[]): string =>
      execFileSync("git", [`--git-dir=${path}`, ...words], { encoding: "utf8" });
    expect(git("rev-parse", "--is-bare-repository")).toBe("true\n");
    expect(git("symbolic-ref", "HEAD")).toBe("refs/heads/main\n");
    expect(git("for-each-ref")).toBe("");
    expect(readdirSync(path)).not.toContain("hooks");
    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  it("are made once: what is there stays", async () => {
    const { repositories } = fresh();
    await repositories.create("demo");
    writeFileSync(join(repositories.path("demo"), "kept"), "");

    await repositories.create("demo");

    expect(readdirSync(repositories.path("demo"))).toContain("kept");
  });

  it("are listed by what could be an app's, and by nothing else that lies there", async () => {
    const { layout, repositories } = fresh();
    await repositories.create("demo");
    await repositories.create("shop");
    mkdirSync(join(layout.repositories, "blog.git.123.making"));
    mkdirSync(join(layout.repositories, "lost+found"));

    expect((await repositories.list()).sort()).toEqual(["demo", "shop"]);
    expect(await repositories.has("demo")).toBe(true);
    expect(await repositories.has("blog")).toBe(false);
  });

  it.each(["link", "file"])(
    "are folders: a %s in the place of one is said by name",
    async (kind) => {
      const { layout, repositories } = fresh();
      await repositories.create("demo");
      if (kind === "file") writeFileSync(repositories.path("shop"), "");
      else symlinkSync(repositories.path("demo"), repositories.path("shop"));

      await expect(repositories.create("shop")).rejects.toMatchObject({
        code: "SYSTEM_REFUSED",
        message: "shop.git is no folder, so there is no repository of shop",
      });
      expect(readdirSync(layout.repositories).sort()).toEqual(["demo.git", "shop.git"]);
    },
  );

  it("go without a trace", async () => {
    const { layout, repositories } = fresh();
    await repositories.create("demo");

    await repositories.remove("demo");
    await repositories.remove("demo");

    expect(readdirSync(layout.repositories)).toEqual([]);
  });

  it("are rid of what a killed git left, and of nothing that a git makes which starts meanwhile", async () => {
    const { repositories } = fresh();
    await repositories.create("demo");
    const path = repositories.path("demo");
    mkdirSync(join(path, "objects/tmp_objdir-incoming-dead"));
    writeFileSync(join(path, "refs/heads/main.lock"), "");
    const script =
      "mkdir $0-$$ && sleep 0.02 && rmdir $0-$$ && mkdir $0-$$ && sleep 0.02 && rmdir $0-$$";
    const quarantine = "objects/tmp_objdir-incoming";
    const running = new Set(["gits"]);
    const gits = (async () => {
      for (let count = 0; count < 40; count++)
        await execFileAsync("sh", ["-c", script, quarantine], { cwd: path });
    })().finally(() => {
      running.delete("gits");
    });

    const swept: string[] = [];
    while (running.size > 0) swept.push(...(await repositories.sweep()));

    await gits;
    expect(swept.sort()).toEqual([
      "demo.git: objects/tmp_objdir-incoming-dead removed",
      "demo.git: refs/heads/main.lock removed",
    ]);
  });

  it("are rid of what a git left which has just ended, once its hooks are gone as well", async () => {
    const { repositories } = fresh();
    await repositories.create("demo");
    const path = repositories.path("demo");
    const hook = execFile("sleep", ["60"], { cwd: path });
    const end = once(hook, "exit");
    writeFileSync(join(path, "refs/heads/main.lock"), "");
    repositories.expectLeavings("demo");

    await repositories.sweepExpected();
    expect(readdirSync(join(path, "refs/heads"))).toEqual(["main.lock"]);
    hook.kill();
    await end;
    await repositories.sweepExpected();

    expect(readdirSync(join(path, "refs/heads"))).toEqual([]);
  });

  it("are rid of it as well where a git of reeve's own works there for a moment", async () => {
    const { repositories } = fresh();
    await repositories.create("demo");
    const path = repositories.path("demo");
    writeFileSync(join(path, "refs/heads/main.lock"), "");
    execFile("sleep", ["0.3"], { cwd: path });

    expect(await repositories.sweep()).toEqual(["demo.git: refs/heads/main.lock removed"]);
  });

  it("keep a lock beside a git that goes on, and it is said which one and why", async () => {
    const { repositories } = fresh();
    await repositories.create("demo");
    const path = repositories.path("demo");
    const packing = execFile("sleep", ["60"], { cwd: path });
    writeFileSync(join(path, "refs/heads/main.lock"), "");
    mkdirSync(join(path, "objects/tmp_objdir-incoming-x"));

    const said = await repositories.sweep(200).finally(() => packing.kill());

    expect(said).toEqual([
      "demo.git: refs/heads/main.lock left, since a git works there; when it has ended: reeve reconcile",
    ]);
    expect(readdirSync(join(path, "refs/heads"))).toEqual(["main.lock"]);
  });

  it("have one that stands for an app which a push may create, and is no app itself", async () => {
    const { layout, repositories } = fresh();

    const empty = await repositories.empty();

    expect(await repositories.empty()).toBe(empty);
    expect(readdirSync(layout.repositories)).toEqual([]);
    expect(await repositories.list()).toEqual([]);
  });
});
