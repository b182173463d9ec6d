import { execa } from "execa";
import { beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { packOf, pushPack, thinPack } from "../support/packs.ts";
import { makePerson, type Person } from "../support/people.ts";
import { withApp, withServer } from "../support/with-server.ts";

const secret = Array.from({ length: 400 }, (_, index) => `line ${index} of a secret\n`).join("");

describe.runIf(process.getuid?.() === 0)("what is in the repository and belongs to no ref", () => {
  const server = withServer([], { ssh: true });
  const demo = withApp(server, "demo", plainApp("good"));
  let ben: Person;
  /** A commit, its tree and its file, whose branch is gone; and a release that main has left. */
  let gone = { commit: "", tree: "", blob: "" };
  let former = "";

  beforeAll(async () => {
    await server.reeve("options", "demo", "set", "previews=off");
    ben = await makePerson(server, "ben", { demo: "preview" });
    former = (await demo.deploy(plainApp("former"), "A release of its own")).commit;
    await server.settled("demo");
    await demo.git("reset", "--quiet", "--hard", "HEAD~1");
    await demo.deploy(plainApp("better"), "What is on the air");
    await server.settled("demo");
    await server.tidied();
    gone = await makeGone();
  });

  async function makeGone(): Promise<typeof gone> {
    const blob = await demo.blob(secret);
    const tree = await demo.tree([{ name: "secret.txt", id: blob }]);
    const commit = await demo.commitTree([{ name: "secret.txt", id: blob }], "Secret");
    expect((await demo.push(`${commit}:refs/heads/gone`)).exitCode).toBe(0);
    expect((await demo.push(":refs/heads/gone")).exitCode).toBe(0);
    return { commit, tree, blob };
  }

  async function pushOnly(
    value: string,
    pack: Buffer,
    more: { ref?: string | undefined; by?: Person } = {},
  ): Promise<string> {
    return pushPack(server, pack, { value, ...more });
  }

  async function commitOf(tree: string, ...parents: string[]): Promise<string> {
    const words = parents.flatMap((parent) => ["-p", parent]);
    return (await demo.git("commit-tree", tree, ...words, "-m", "Named")).output.trim();
  }

  type Named = { value: string; ids: string[]; ref?: string };
  const named: [string, () => Named | Promise<Named>][] = [
    ["by a ref", () => ({ value: gone.commit, ids: [] })],
    ["by a tag", () => ({ value: gone.commit, ids: [], ref: "refs/tags/back" })],
    ["as a file, by a tag", () => ({ value: gone.blob, ids: [], ref: "refs/tags/back" })],
    [
      "as the tree of a commit",
      async () => {
        const value = await commitOf(gone.tree);
        return { value, ids: [value] };
      },
    ],
    [
      "as a parent",
      async () => {
        const tree = (await demo.git("rev-parse", "main^{tree}")).output.trim();
        const value = await commitOf(tree, gone.commit);
        return { value, ids: [value] };
      },
    ],
    [
      "as a file of a tree",
      async () => {
        const tree = await demo.tree([{ name: "mine.txt", id: gone.blob }]);
        const value = await commitOf(tree);
        return { value, ids: [value, tree] };
      },
    ],
    [
      "by a tag with words of its own",
      async () => {
        const text = `object ${gone.commit}\ntype commit\ntag back\ntagger A <a@b.c> 1 +0000\n\nx\n`;
        const value = await demo.object("tag", text);
        return { value, ids: [value], ref: "refs/tags/back" };
      },
    ],
  ];

  it.each(named)("does not come back when it is named %s, and not sent", async (_, make) => {
    const { value, ids, ref } = await make();

    expectRefused(await pushOnly(value, await packOf(demo.folder, ids), { ref }));
  });

  it("does not come back as what another file differs from", async () => {
    const blob = await demo.blob(`${secret}more`);
    const tree = await demo.tree([{ name: "secret.txt", id: blob }]);
    const value = await commitOf(tree);
    const bytesOf = async (type: "commit" | "tree", id: string) => {
      const words = ["cat-file", type, id];
      const options = { cwd: demo.folder, encoding: "buffer", stripFinalNewline: false } as const;
      return { type, bytes: Buffer.from((await execa("git", words, options)).stdout) };
    };
    const objects = [await bytesOf("commit", value), await bytesOf("tree", tree)];

    expectRefused(await pushOnly(value, thinPack(objects, Buffer.from(secret), "more")));
  });

  function expectRefused(said: string): void {
    expect(said).toContain("error[OBJECT_REFUSED]");
    expect(said).not.toContain("ok refs");
  }

  it("comes back at once when it is sent, by git itself", async () => {
    const push = await demo.push(`${gone.commit}:refs/heads/back`);

    expect(push.exitCode, push.output).toBe(0);
    expect((await demo.push(":refs/heads/back")).exitCode).toBe(0);
  });

  it("is what an account may roll back to, and for others is not there", async () => {
    const said = await pushOnly(former, await packOf(demo.folder, []), { by: ben });
    const sent = await demo.start(
      ...["-c", `url.${server.remote("demo", `ben:${ben.token}`)}.insteadOf=x`],
      ...["push", "x", `${former}:refs/heads/ben`],
    );
    expect((await demo.push(":refs/heads/ben")).exitCode).toBe(0);
    const admins = await pushOnly(former, await packOf(demo.folder, []));

    expectRefused(said);
    expect(sent.exitCode, sent.all).toBe(0);
    expect(admins).toContain("ok refs/heads/back");
    expect((await demo.push(":refs/heads/back")).exitCode).toBe(0);
  });

  it("is nobody's to fetch, whichever version the client speaks", async () => {
    const clone = await server.workspace("clone", {});
    const fetch = async (version: string, remote: string, what: string): Promise<number> => {
      const options = [`protocol.version=${version}`, `core.sshCommand=${ben.ssh.gitSshCommand}`];
      const words = options.flatMap((option) => ["-c", option]);
      return (await clone.start(...words, "fetch", remote, what)).exitCode ?? -1;
    };
    for (const version of ["0", "1", "2"])
      for (const remote of [server.remote("demo"), ben.ssh.remote("demo")]) {
        expect(await fetch(version, remote, "main")).toBe(0);
        expect(await fetch(version, remote, gone.commit)).not.toBe(0);
        expect(await fetch(version, remote, former)).not.toBe(0);
      }
  });

  it("does not hold up who goes back in the history, or reverts to an old file", async () => {
    await demo.git("revert", "--no-edit", "HEAD");
    expect((await demo.push("main")).output).toMatch(/live/);
    expect((await demo.push("+HEAD~2:main")).output).toMatch(/live/);
    expect((await server.get("demo")).body).toBe("good");
  });
});
