import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { environmentPath } from "../../../../../src/names/instance.ts";
import { remakeEnvironment, remakeRelease } from "../../../../../src/agent/deploy/remake.ts";
import { optionsOf, pathsOf } from "../../../../../src/agent/world/context.ts";
import { begin, prove, push, servingWorld, shop } from "../../../../support/unit-serving.ts";

const requirements = (text: string) => [{ path: "requirements.txt", text }];

async function world(options = "") {
  const made = await servingWorld(options);
  const { environments } = pathsOf(made.context, "demo");
  const built = () => readdirSync(environments).filter((name) => /^[0-9a-f]{16}$/.test(name));
  return { ...made, built };
}

describe("a deploy's environment", () => {
  it("is built for what its requirements ask for, and is there for the next that asks for the same", async () => {
    const made = await world();

    const first = await push(made, { requirements: requirements("greeting\n") });
    expect(made.said.join("\n")).toMatch(/environment +built with pip, 1 package /);
    const again = await push(made, {
      files: { "new.py": "" },
      requirements: requirements("greeting\n"),
    });
    expect(made.said.join("\n")).toMatch(/environment +unchanged/);
    const other = await push(made, {
      files: { "newer.py": "" },
      requirements: requirements("greeting\nother\n"),
    });

    expect(again.environment).toBe(first.environment);
    expect(other.environment).not.toBe(first.environment);
    expect(made.context.store.environments.packages("demo", first.environment!)).toBe(
      "greeting==1.0",
    );
  });

  it("is another one after reeve rebuild, and where a variable that builds see has changed", async () => {
    const made = await world('build_variables = "COLOUR"');
    const first = await push(made);

    const rebuilt = await push(made, { reason: "rebuild" });
    const red = await push(made, {
      variables: { set: { COLOUR: "red", TASTE: "sweet" }, unset: [] },
    });

    const all = [first, rebuilt, red].map(({ environment }) => environment);
    expect(new Set(all).size).toBe(3);
  });

  it("is the instance's own where its requirements reach into its tree", async () => {
    const made = await world();
    const files = { "libs/x/setup.py": "" };

    const deploy = await push(made, { files, requirements: requirements("./libs/x\n") });

    expect(made.said.join("\n")).toContain("built with pip");
    await push(made, { ref: "refs/heads/shop", requirements: requirements("./libs/x\n") });
    const preview = made.context.store.deploys.list("demo", 1)[0];
    expect(preview?.environment).not.toBe(deploy.environment);
  });

  it("is refused where its requirements name what is not in the repository", async () => {
    const made = await world();

    const refused = push(made, { requirements: requirements("-r nosuch.txt\n") });

    await expect(refused).rejects.toMatchObject({ code: "BUILD_TREE_INVALID" });
    expect(made.built()).toEqual([]);
  });

  it("is refused where the options name an installer that the server does not have", async () => {
    const made = await world('installer = "uv"');

    await expect(push(made)).rejects.toMatchObject({
      code: "OPTION_INVALID",
      hint: "Have pip install: reeve options APP set installer=pip",
    });
  });

  it("is built by pip where the options say so, and the server has uv", async () => {
    const made = await world('installer = "pip"');
    Object.assign(made.context, { installer: { name: "uv", file: "/nonexistent/uv" } });

    await push(made);

    expect(made.said.join("\n")).toContain("built with pip");
  });

  it.each([
    ["and uv could not read it", "Couldn't parse requirement", "greeting>=1.*", ""],
    ["whatever uv said", "no", "-fwheels", "\nrequirements.txt, line 1: -fwheels"],
  ])("names a line that only pip takes where uv failed, %s", async (_, says, line, named) => {
    const made = await world();
    const uv = join(made.layout.home, "uv");
    writeFileSync(uv, `#!/bin/sh\necho "error: ${says}"; exit 2\n`, { mode: 0o755 });
    Object.assign(made.context, { installer: { name: "uv", file: uv } });

    const refused = push(made, { requirements: requirements(`${line}\n`) });

    await expect(refused).rejects.toMatchObject({
      code: "ENVIRONMENT_FAILED",
      message: `the installer failed (exit code 2)${named}`,
      hint: expect.stringContaining("pip may take that line") as string,
    });
    expect(made.built()).toEqual([]);
  });

  it("of which one may be copied from production's is copied for a preview", async () => {
    const made = await world();
    await push(made, { requirements: requirements("greeting\n") });

    await push(made, { ref: "refs/heads/shop", requirements: requirements("greeting\n") });

    expect(made.said.join("\n")).toContain("copied from production's, 1 package");
  });

  it("is built where production's goes while it is copied", async () => {
    const made = await world();
    const { system } = made;
    const { environment } = await push(made, { requirements: requirements("greeting\n") });
    const path = environmentPath(pathsOf(made.context, "demo"), environment!);
    made.said.length = 0;
    const run = system.run.bind(system);
    const running = vi.spyOn(system, "run").mockImplementation(async (command, options) => {
      if (command.input?.includes(`path=${path}\0`)) await run({ file: "rm", args: ["-rf", path] });
      return run(command, options);
    });

    const preview = await push(made, { ...shop, requirements: requirements("greeting\n") });

    expect(running.mock.calls.length).toBeGreaterThan(0);
    expect(existsSync(path)).toBe(false);
    expect(made.said.join("\n")).toMatch(/environment +built with pip, 1 package /);
    expect(preview).toMatchObject({ state: "live", environment });
  });

  it("is built once for two previews that want the same at the same time", async () => {
    const made = await world();
    const what = { requirements: requirements("greeting\n") };
    const deploys = [await begin(made, shop), await begin(made, { ref: "refs/heads/blog" })];

    await Promise.all(deploys.map((deploy) => prove(made, deploy, what)));

    const done = made.said.flatMap((line) => /environment +(\S+)/.exec(line)?.[1] ?? []);
    expect(done).toEqual(["built", "unchanged"]);
  });

  it("is said not to follow what its requirements name outside the repository", async () => {
    const made = await world();

    await push(made, { requirements: requirements("-f /srv/wheels\n") });

    expect(made.said).toContain(
      "reeve: /srv/wheels is not in the repository: when it changes, reeve rebuild takes it anew",
    );
  });

  it("stays where the deploy is refused: the next push need not build it", async () => {
    const made = await world();
    made.emperor.app = () => 500;
    await expect(push(made)).rejects.toMatchObject({ code: "APP_UNHEALTHY" });
    expect(made.built()).toHaveLength(1);

    made.emperor.app = () => 200;
    made.context.locks.release({ pid: process.pid, startTime: 1, turn: 0 });
    made.said.length = 0;
    await push(made);

    expect(made.said.join("\n")).toMatch(/environment +unchanged/);
  });
});

describe("what is on the air, and was removed by hand", () => {
  it("is made again, release and environment", async () => {
    const made = await world();
    const { context, system } = made;
    const live = await push(made);
    const paths = pathsOf(context, "demo");
    const release = join(paths.releases, live.newCommit);
    const environment = environmentPath(paths, live.environment!);
    await system.run({ file: "rm", args: ["-rf", release, environment] });
    const row = context.store.instances.get("demo")!;
    const what = { row, live, options: await optionsOf(context, "demo") };

    await remakeRelease(context, what);
    expect(await remakeEnvironment(context, what)).toBe(live.environment);

    expect([release, environment].filter((path) => !existsSync(path))).toEqual([]);
  });
});

describe("a release", () => {
  it("is the commit's tree as it is where the option submodules finds none in it", async () => {
    const made = await world("submodules = true");

    const { newCommit } = await push(made);

    expect(made.said.join("\n")).toMatch(/checkout +checked out/);
    expect(readdirSync(join(pathsOf(made.context, "demo").releases, newCommit))).toContain(
      "app.py",
    );
  });

  it("is kept where another deploy of the same commit has it, and taken back otherwise", async () => {
    const made = await world();
    const live = await push(made);
    const again = await begin(made, { reason: "redeploy" });
    made.emperor.app = () => 500;
    await expect(prove(made, again)).rejects.toMatchObject({ code: "APP_UNHEALTHY" });

    const { releases } = pathsOf(made.context, "demo");
    expect(readdirSync(releases)).toEqual([live.newCommit]);
    expect(made.said.join("\n")).toContain("on disk already");
  });
});
