import { readdirSync, rmSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { RefLock } from "../support/ref-lock.ts";
import { eventually } from "../support/server.ts";
import { withApp, withServer } from "../support/with-server.ts";

describe("commands about one preview", () => {
  const server = withServer();
  const demo = withApp(server, "demo", plainApp("main 1"));

  const push = async (text: string, ref: string): Promise<string> => {
    demo.write(plainApp(text));
    await demo.commit(text);
    const { exitCode, output } = await demo.push(ref);
    expect(exitCode, output).toBe(0);
    return output;
  };
  const reeve = async (...words: string[]): Promise<string> => {
    const { exitCode, output } = await server.reeve(...words);
    expect(exitCode, output).toBe(0);
    return output;
  };
  const body = async (name: string): Promise<string> => (await server.get(name)).body;

  beforeAll(async () => {
    await push("main 2", "HEAD:main");
    for (const text of ["shop 1", "shop 2", "shop 3"]) await push(text, "HEAD:feature/shop");
  });

  it("leave a rollback of the app to its own releases", async () => {
    await reeve("rollback", "demo");

    expect(await body("demo")).toBe("main 1");
    expect(await body("feature-shop--demo")).toBe("shop 3");
  });

  it.each([
    ["its branch", "feature/shop", "shop 2"],
    ["its name", "feature-shop--demo", "shop 1"],
  ])("roll it back and move its branch, by %s", async (_, named, text) => {
    const output = await reeve("rollback", "demo", "-b", named);

    expect(output).toContain(`reeve: demo feature/shop`);
    expect(await body("feature-shop--demo")).toBe(text);
    const commit = await demo.remoteCommit("refs/heads/feature/shop");
    const subject = await demo.git("log", "-1", "--format=%s", commit);
    expect(subject.output.trim()).toBe(text);
    expect(await body("demo")).toBe("main 1");
  });

  it("list its releases, and roll back to one of them", async () => {
    const releases = await server.json<{ subject: string; commit: string; live: boolean }[]>(
      ...["releases", "demo", "-b", "feature/shop"],
    );
    expect(releases.map(({ subject, live }) => `${subject}${live ? " live" : ""}`)).toEqual([
      "shop 1 live",
      "shop 2",
      "shop 3",
    ]);

    await reeve("rollback", "demo", releases[2]?.commit.slice(0, 8) ?? "", "-b", "feature/shop");

    expect(await body("feature-shop--demo")).toBe("shop 3");
  });

  it("redeploy it, with what its options say by now", async () => {
    await reeve("options", "demo", "set", "web_processes=1");

    await reeve("redeploy", "demo", "-b", "feature/shop");

    await server.asleepAfterPush("feature-shop--demo");
    const ini = readdirSync(server.path("etc/vassals")).find((name) => name.includes("shop"));
    expect(server.read("etc/vassals", ini ?? "")).toContain("workers = 1");
    expect(server.read("etc/vassals/demo.ini")).toContain("workers = 2");
  });

  it("rebuild its environment, and not production's", async () => {
    expect(await reeve("rebuild", "demo", "-b", "feature/shop")).toMatch(/environment +built with/);

    expect(await push("main 3", "+HEAD:main")).toMatch(/environment +unchanged/);
    expect(await push("shop 4", "+HEAD:feature/shop")).toMatch(/environment +unchanged/);
    expect(await reeve("rebuild", "demo")).toMatch(/environment +built with/);
  });

  it("cancel its deploy and no other one, not even the first that it ever had", async () => {
    demo.write(plainApp("slow", { importFor: 20 }));
    await demo.commit("slow");
    const refs = ["main", "feature/shop", "feature/new"];
    const understudies = (): string[] =>
      readdirSync(server.path("etc/vassals")).filter((name) => /\.next-\d+\.ini$/.test(name));
    // Those of the deploys before go in their own time.
    const former = understudies();
    const pushes = refs.map((ref) => demo.start("push", "deploy", `+HEAD:${ref}`));
    await eventually(() => {
      const booting = understudies().filter((name) => !former.includes(name));
      return new Set(booting.map((name) => name.split(".")[0])).size === refs.length;
    }, 30_000);

    await reeve("cancel", "demo", "-b", "feature/new");
    await reeve("cancel", "demo", "-b", "feature/shop");
    const running = await server.json<{ state: string; instance: string }[]>("deploys", "demo");
    await reeve("cancel", "demo");

    expect(
      running
        .slice(0, 3)
        .map(({ state, instance }) => `${instance} ${state}`)
        .sort(),
    ).toEqual(["demo preparing", "feature-new--demo refused", "feature-shop--demo refused"]);
    for (const ended of await Promise.all(pushes)) {
      expect(ended.exitCode).toBe(1);
      expect(ended.all).toContain("error[DEPLOY_CANCELLED]");
    }
    expect(await body("demo")).toBe("main 3");
    expect(await body("feature-shop--demo")).toBe("shop 4");
    expect((await server.get("feature-new--demo")).status).toBe(404);
    const { output } = await server.reeve("cancel", "demo");
    expect(output).toContain("error[DEPLOY_UNKNOWN]: demo is not being deployed");
    expect(output).toContain("reeve cancel demo -b BRANCH");
  });

  it.each(["rollback", "redeploy", "rebuild", "cancel", "releases"])(
    "are refused where there is no such preview: %s",
    async (command) => {
      const { exitCode, output } = await server.reeve(command, "demo", "-b", "nosuch");

      expect(exitCode).toBe(1);
      expect(output).toContain('error[PREVIEW_UNKNOWN]: demo has no preview of "nosuch"');
    },
  );

  it("begin anew with a preview that was removed and pushed again", async () => {
    await demo.push(":feature/shop");
    await push("shop again", "HEAD:feature/shop");

    const { output } = await server.reeve("rollback", "demo", "-b", "feature/shop");

    expect(output).toContain("error[RELEASE_UNKNOWN]: feature-shop--demo has no release before");
    expect(await server.json<unknown[]>("releases", "demo", "-b", "feature/shop")).toHaveLength(1);
  });

  it("find a branch that was removed on the server itself, and record its preview's end", async () => {
    rmSync(server.path("lib/repositories/demo.git/refs/heads/feature/shop"));

    expect(await reeve("reconcile")).toContain(
      "feature-shop--demo: removed: refs/heads/feature/shop is gone",
    );

    const [record] = await server.json<Record<string, string>[]>("deploys", "demo");
    expect(record).toMatchObject({ state: "removed", ref: "refs/heads/feature/shop" });
    expect((await server.get("feature-shop--demo")).status).toBe(404);
    await push("shop once more", "HEAD:feature/shop");
    expect(await server.json<unknown[]>("releases", "demo", "-b", "feature/shop")).toHaveLength(1);
  });

  it("say what keeps git from removing a branch, and leave its preview on the air", async () => {
    const lock = new RefLock(server, "demo", "refs/heads/feature/shop");
    const words = ["previews", "demo", "remove", "feature/shop"] as const;

    const { exitCode, output } = await server.reeve(...words);

    expect(exitCode).toBe(1);
    expect(output).toContain("error[REF_MOVED]: git did not remove refs/heads/feature/shop:");
    expect(await body("feature-shop--demo")).toBe("shop once more");
    const [record] = await server.json<Record<string, string>[]>("deploys", "demo");
    expect(record).toMatchObject({ state: "refused", reason: "removal" });
    await lock.leave();
    // It goes with the first reconcile beside which no git works in the repository: one may be tidying it just then.
    await eventually(async () => {
      await reeve("reconcile");
      return !lock.isThere;
    });
    await reeve(...words);
    expect((await server.get("feature-shop--demo")).status).toBe(404);
  });
});
