import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { RefLock } from "../support/ref-lock.ts";
import { eventually } from "../support/server.ts";
import { withApp, withServer } from "../support/with-server.ts";

describe("what becomes of a ref", () => {
  const server = withServer();
  const demo = withApp(server, "demo", plainApp("good"));

  it("a tag is kept, and deploys nothing", async () => {
    const before = await server.json<unknown[]>("deploys", "demo");
    await demo.git("tag", "v1");

    const push = await demo.push("v1");

    expect(push.exitCode, push.output).toBe(0);
    expect(await demo.remoteCommit("refs/tags/v1")).toBe(await demo.head());
    expect(await server.json<unknown[]>("deploys", "demo")).toHaveLength(before.length);
  });

  it.each([
    ["a note", "main:refs/notes/x", "REF_REFUSED", "refs/notes/x is neither a branch nor a tag"],
    ["a review", "main:refs/for/main", "REF_REFUSED", "refs/for/main"],
    ["the end of the production branch", ":main", "PRODUCTION_DELETE", "reeve destroy demo"],
  ])("%s is refused in words that help", async (_, refspec, code, words) => {
    const push = await demo.push(refspec);

    expect(push.exitCode).toBe(1);
    expect(push.output).toContain(`error[${code}]`);
    expect(push.output).toContain(words);
    expect((await server.get("demo")).body).toBe("good");
  });

  it("hidden refs, which hold the releases, are nobody's to move", async () => {
    const push = await demo.push("main:refs/reeve/releases/demo/x");

    expect(push.exitCode).toBe(1);
    expect((await demo.git("ls-remote", "deploy")).output).not.toContain("refs/reeve");
  });

  it("each ref of a push gets its own verdict, in both orders", async () => {
    for (const [text, refs] of [
      ["first", ["main", "main:refs/notes/x"]],
      ["second", ["main:refs/notes/x", "main"]],
    ] as const) {
      demo.write(plainApp(text));
      await demo.commit(text);

      const push = await demo.push(...refs);

      expect(push.exitCode).toBe(1);
      expect(push.output).toContain("error[REF_REFUSED]");
      expect((await server.get("demo")).body).toBe(text);
      expect(await demo.remoteCommit()).toBe(await demo.head());
      expect(await demo.remoteCommit("refs/notes/x")).toBe("");
    }
  });

  it("an atomic push with a bad ref moves nothing, neither branch nor traffic", async () => {
    const before = await demo.remoteCommit();
    demo.write(plainApp("atomic"));
    await demo.commit("atomic");

    const push = await demo.push(
      "--atomic",
      "main",
      "main:refs/heads/feature",
      "main:refs/notes/x",
    );

    expect(push.exitCode).toBe(1);
    expect(await demo.remoteCommit()).toBe(before);
    expect((await server.get("demo")).body).toBe("second");
    await eventually(async () => (await server.get("feature--demo")).status === 404);
    expect(await demo.remoteCommit("refs/heads/feature")).toBe("");
    const next = await demo.push("main");
    expect(next.exitCode, next.output).toBe(0);
    expect((await server.get("demo")).body).toBe("atomic");
  });

  it("a lock on the ref stops the branch, and the traffic with it, until its git has ended", async () => {
    const before = await demo.remoteCommit();
    const lock = new RefLock(server, "demo", "refs/heads/main");

    const push = await demo.deploy(plainApp("locked"), "Locked out");

    expect(push.exitCode).toBe(1);
    expect(await demo.remoteCommit()).toBe(before);
    expect((await server.get("demo")).body).toBe("atomic");
    expect(lock.isThere, "a lock that somebody works under stays").toBe(true);

    await lock.leave();
    await eventually(() => !lock.isThere);
    const next = await demo.push("main");
    expect(next.exitCode, next.output).toBe(0);
    expect((await server.get("demo")).body).toBe("locked");
  });
});

describe("a first push that goes to the wrong place", () => {
  const server = withServer();

  it("as master is a preview, and told the command that puts the app itself on the air", async () => {
    const demo = await server.workspace("old", plainApp("good"));
    await demo.git("branch", "--move", "main", "master");

    const push = await demo.push("master");

    expect(push.exitCode, push.output).toBe(0);
    expect((await server.get("master--old")).body).toBe("good");
    expect(push.output).toContain("git push deploy master:main");
    const next = await demo.push("master:main");
    expect(next.exitCode, next.output).toBe(0);
    expect((await server.get("old")).body).toBe("good");
  });

  it("as HEAD of another branch is told the command that works", async () => {
    const demo = await server.workspace("head", plainApp("good"));
    await demo.git("switch", "--quiet", "--create", "work");

    const push = await demo.push("HEAD");

    expect(push.output).toContain("git push deploy work:main");
  });

  it("from a shallow clone is answered with the command that works, which works", async () => {
    const demo = await server.workspace("shallow", plainApp("one"));
    await demo.commit("two");
    await demo.git("clone", "--quiet", "--depth=1", `file://${demo.folder}`, "clone");
    const clone = await server.workspace("shallow", {});
    await clone.git("clone", "--quiet", "--depth=1", `file://${demo.folder}`, "clone");
    const inClone = ["-C", join(clone.folder, "clone")];
    await clone.git(...inClone, "remote", "add", "deploy", server.remote("shallow"));

    const push = await clone.start(...inClone, "push", "deploy", "HEAD:main");

    expect(push.exitCode).toBe(1);
    expect(push.all).toContain("error[SHALLOW_PUSH]");
    expect(push.all).toContain("and push again: git fetch --unshallow (");
    await clone.git(...inClone, "fetch", "--quiet", "--unshallow");
    const next = await clone.start(...inClone, "push", "deploy", "HEAD:main");
    expect(next.exitCode, next.all).toBe(0);
    expect((await server.get("shallow")).body).toBe("one");
  });
});

describe("a server that creates no app on a push", () => {
  const server = withServer(["create_on_push = false"]);

  it("says how to make one, and takes the push when it is made", async () => {
    const demo = await server.workspace("demo", plainApp("good"));

    const push = await demo.push();

    expect(push.exitCode).toBe(128);
    expect(push.output).toContain("error[APP_UNKNOWN]: there is no app demo");
    expect(push.output).toContain("reeve create APP");
    await server.reeve("create", "demo");
    const next = await demo.push();
    expect(next.exitCode, next.output).toBe(0);
  });
});
