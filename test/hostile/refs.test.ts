import { existsSync, mkdtempSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { evilBranches } from "../support/evil-names.ts";
import { makePerson, type Person } from "../support/people.ts";
import { eventually } from "../support/server.ts";
import { readIni, readNginx, shapeOf } from "../support/structures.ts";
import type { Workspace } from "../support/workspace.ts";
import { catalogue } from "./catalogue.ts";
import { isLong } from "./oracle.ts";
import { byWays, some, type SceneNow, type Transport } from "./scene.ts";

catalogue("refs", refCases);

const branches = some(["$(touch${IFS}CANARY)", ...evilBranches], 3);

/** Refs, and what a push of them may do. */
function refCases(scene: SceneNow): void {
  const previews = () => scene().server.command("previews", { app: "demo" });
  const commitOf = (text: string): Promise<string> =>
    scene().demo.commitBeside(plainApp(text), text);
  const onTheAir = async (instance = "demo"): Promise<string> =>
    (await scene().server.get(instance)).body;

  it.each(byWays([[]]))(
    "R1: every branch has a host of its own, and files like any other's, over %s",
    async (via) => {
      const { server } = scene();
      const commit = await commitOf("a branch");
      const names = branches.map((name) => name.replace("CANARY", scene().oracle.canary));
      await server.reeve("options", "demo", "set", `preview_limit=${names.length}`);
      const push = await scene().push(
        via,
        names.map((name) => `${commit}:refs/heads/${name}`),
      );
      await server.reeve("options", "demo", "set", "preview_limit=20");

      expect(push.exitCode, push.output).toBe(0);
      const listed = await previews();
      expect(listed.map(({ branch }) => branch).toSorted()).toEqual(names.toSorted());
      expect(new Set(listed.map(({ preview }) => preview)).size).toBe(names.length);
      for (const { preview } of listed) await server.asleepAfterPush(preview);
      const [inis, vhosts] = [new Set<string>(), new Set<string>()];
      for (const { preview } of listed) {
        expect(preview).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*--demo$/);
        expect(await onTheAir(preview)).toBe("a branch");
        vhosts.add(
          JSON.stringify(
            shapeOf(readNginx(server.read(`etc/nginx/sites-available/${preview}.conf`))),
          ),
        );
        for (const ini of readdirSync(server.path("etc/vassals")).filter(
          (name) => name.startsWith(`${preview}.rel-`) && name.endsWith(".ini"),
        ))
          inis.add(readIni(server.read("etc/vassals", ini)).keys.join());
      }
      expect([inis.size, vhosts.size]).toEqual([1, 1]);
    },
  );

  it.each(byWays([["main"], ["-x"], ["--output=CANARY"]], 1))(
    "R2: a tag that is called %s stands for nothing but itself, over %s",
    async (tag, via) => {
      const name = tag.replace("CANARY", scene().oracle.canary.slice(1));
      const [tagged, pushed] = [await commitOf("tagged"), await commitOf("pushed")];
      const first = await scene().push(via, [`${tagged}:refs/tags/${name}`]);
      expect(first.exitCode, first.output).toBe(0);

      const push = await scene().push(via, [`+${pushed}:refs/heads/main`]);
      expect(push.exitCode, push.output).toBe(0);
      expect(await onTheAir()).toBe("pushed");
      const redeploy = await scene().server.reeve("redeploy", "demo");

      expect(redeploy.exitCode, redeploy.output).toBe(0);
      expect(await onTheAir()).toBe("pushed");
      expect(scene().main).toBe(pushed);
    },
  );

  it.each(byWays([["a commit's id"], ["HEAD"], ["refs/heads/main"], ["@"]], 1))(
    "R3: a branch that is called %s is that branch and no other, over %s",
    async (title, via) => {
      const [before, text] = [await onTheAir(), `R3 ${title}`];
      const main = scene().main;
      const commit = await commitOf(text);
      const name = title === "a commit's id" ? main : title;
      const push = await scene().push(via, [`${commit}:refs/heads/${name}`]);

      expect(push.exitCode, push.output).toBe(0);
      expect(scene().main).toBe(main);
      expect(await onTheAir()).toBe(before);
      const [found] = await previews();
      expect(await onTheAir(found?.preview)).toBe(text);
    },
  );

  it.each(
    byWays(
      [
        ["refs/notes/x"],
        ["refs/meta/config"],
        ["refs/for/main"],
        ["refs/replace/COMMIT"],
        ["refs/hidden"],
        ["refs/stash"],
        ["refs/remotes/origin/main"],
        ["refs/reeve/releases/demo/COMMIT"],
        ["refs/reeve/x"],
        ["HEAD"],
      ],
      5,
    ),
  )("R4: %s is nobody's to move, over %s", async (ref, via) => {
    const { main } = scene();
    const commit = await commitOf("R4");
    const push = await scene().push(via, [`+${commit}:${ref.replace("COMMIT", main)}`]);

    expect(push.exitCode).toBe(1);
    expect(push.output).toMatch(
      /error\[REF_REFUSED\]|deny updating a hidden ref|is not a full refname|funny refname/,
    );
    expect(scene().main).toBe(main);
  });

  describe("R5: a push of what one may and what one may not", () => {
    let eve: Person | undefined;
    it.each(byWays([["atomic"], ["may first"], ["may not first"]], 1))(
      "%s, over %s",
      async (order, via) => {
        eve ??= await makePerson(scene().server, "eve", { demo: "preview" });
        const { main } = scene();
        const [before, text] = [await onTheAir(), `R5 ${order} ${via}`];
        const commit = await commitOf(text);
        const refs = [`${commit}:refs/heads/feature`, `+${commit}:refs/heads/main`];
        const words =
          order === "atomic"
            ? ["--atomic", ...refs]
            : order === "may first"
              ? refs
              : refs.reverse();
        const push = await pushAs(eve, via, words);

        expect(push.exitCode).toBe(1);
        expect(push.all).toContain(
          "error[NOT_ALLOWED]: eve may not put on the air what it pushes to demo",
        );
        expect(scene().main).toBe(main);
        expect(await onTheAir()).toBe(before);
        const names = (await previews()).map(({ branch }) => branch);
        expect(names).toEqual(order === "atomic" ? [] : ["feature"]);
      },
    );

    const pushAs = (person: Person, via: Transport, words: string[]) => {
      const { server, demo } = scene();
      const remote =
        via === "ssh"
          ? person.ssh.remote("demo")
          : server.remote("demo", `${person.name}:${person.token}`);
      return demo.start(
        "-c",
        `core.sshCommand=${person.ssh.gitSshCommand}`,
        "push",
        remote,
        ...words,
      );
    };
  });

  describe("R6: ends, forces and repetitions", () => {
    it.each(byWays([[]]))("the end of main is refused, over %s", async (via) => {
      const { main } = scene();
      const push = await scene().push(via, [":refs/heads/main"]);

      expect(push.output).toContain("error[PRODUCTION_DELETE]");
      expect(scene().main).toBe(main);
    });

    it.each(byWays([[]]))(
      "the end of a branch ends all that there was of it, over %s",
      async (via) => {
        const commit = await commitOf("R6");
        expect((await scene().push(via, [`${commit}:refs/heads/short`])).exitCode).toBe(0);
        expect(await onTheAir("short--demo")).toBe("R6");
        expect((await scene().push(via, [":refs/heads/short"])).exitCode).toBe(0);

        expect((await scene().server.get("short--demo")).status).toBe(404);
        expect(scene().server.processesOf("short--demo")).toEqual([]);
      },
    );

    it.each(byWays([[]]))("an end while the branch is being built, over %s", async (via) => {
      const { demo } = scene();
      const commit = await demo.commitBeside(plainApp("R6 slow", { importFor: 1 }), "R6 slow");
      const building = scene().git(via, ["push", "REMOTE", `${commit}:refs/heads/short`]);
      await new Promise((resolve) => setTimeout(resolve, 500));
      await scene().push(via, [":refs/heads/short"]);
      await building;

      const isThere = (await demo.remoteCommit("refs/heads/short")) !== "";
      expect((await scene().server.get("short--demo")).status).toBe(isThere ? 200 : 404);
    });

    it.each(byWays([[]]))(
      "an end and a beginning in one push are refused by git, over %s",
      async (via) => {
        const commit = await commitOf("R6 twice");
        const push = await scene().push(via, [`${commit}:refs/heads/twice`, ":refs/heads/twice"]);

        expect(push.exitCode).not.toBe(0);
        expect(await previews()).toEqual([]);
      },
    );

    it.each(byWays([[]]))(
      "another history is taken by force only, and the same commit again is nothing, over %s",
      async (via) => {
        const { main, demo } = scene();
        const commit = await commitOf(`R6 other ${via}`);
        const plain = await scene().push(via, [`${commit}:refs/heads/main`]);
        expect([plain.exitCode, scene().main]).toEqual([1, main]);
        const forced = await scene().push(via, [`+${commit}:refs/heads/main`]);
        expect(forced.exitCode, forced.output).toBe(0);
        const again = await scene().push(via, [`+${commit}:refs/heads/main`]);

        expect(again.output).toContain("Everything up-to-date");
        expect(await onTheAir()).toBe(`R6 other ${via}`);
        expect(await demo.remoteCommit()).toBe(commit);
      },
    );
  });

  it.each(byWays([[]]))(
    "R7: names that nearly are each other's do not meet, over %s",
    async (via) => {
      const names = some(["é", "e\u0301", "a", "MAIN"], 2);
      for (const name of names) {
        const commit = await commitOf(`R7 ${encodeURIComponent(name)}`);
        const push = await scene().push(via, [`${commit}:refs/heads/${name}`]);
        expect(push.exitCode, push.output).toBe(0);
      }
      const below = [`${await commitOf("conflict")}:refs/heads/${names.at(-1) ?? ""}/b`];
      const conflict = await scene().push(via, below);

      expect(conflict.exitCode).toBe(1);
      expect(conflict.output).toContain("refs/heads/");
      // git sees the conflict when the release is built already: it is taken back.
      await eventually(async () => (await previews()).length === names.length);
      const listed = await previews();
      expect(listed.map(({ branch }) => branch).toSorted()).toEqual(names.toSorted());
      expect(new Set(await Promise.all(listed.map(({ preview }) => onTheAir(preview)))).size).toBe(
        names.length,
      );
    },
  );

  describe("R8: too many", () => {
    it.each(byWays([[]]))("500 branches in one push, over %s", async (via) => {
      const commit = await commitOf("R8");
      const refs = Array.from(
        { length: 500 },
        (_, number) => `${commit}:refs/heads/many-${number}`,
      );
      const push = await scene().push(via, refs);

      expect(push.exitCode).toBe(1);
      expect(push.output).toContain(
        "error[REF_REFUSED]: this push moves 500 branches, and 100 are the most",
      );
      expect(await previews()).toEqual([]);
    });

    it.each(byWays([[]]))("more than an app may have, over %s", async (via) => {
      const { server } = scene();
      await server.reeve("options", "demo", "set", "preview_limit=1");
      const commit = await commitOf("R8 few");
      const push = await scene().push(via, [
        `${commit}:refs/heads/one`,
        `${commit}:refs/heads/two`,
      ]);
      await server.reeve("options", "demo", "set", "preview_limit=20");

      expect(push.exitCode).toBe(1);
      expect(push.output).toContain("error[PREVIEW_LIMIT]");
      expect(await previews()).toHaveLength(1);
    });
  });

  describe("R9: pushes of another kind", () => {
    it.each(byWays([[]]))("with push options, over %s", async (via) => {
      const push = await scene().push(via, [
        "-o",
        "ci.skip",
        "-o",
        "--evil=`id`",
        `${await commitOf("R9")}:refs/heads/options`,
      ]);

      expect(push.exitCode, push.output).toBe(0);
    });

    it.each(byWays([["signed", ["--signed=true"]]] as [string, string[]][]))(
      "%s, with %j, over %s",
      async (_, words, via) => {
        const push = await scene().push(via, [
          ...words,
          `${await commitOf("R9")}:refs/heads/signed`,
        ]);

        expect(push.exitCode).not.toBe(0);
        expect(push.output).toContain("does not support --signed");
      },
    );

    it.each(byWays([[]]))("from a clone with half a history, over %s", async (via) => {
      const { demo, server } = scene();
      const older = await demo.commitBeside(plainApp("R9 old"), "R9 old");
      const tip = await demo.commitTree(
        [{ name: "app.py", id: await demo.blob(plainApp("R9")["app.py"] ?? "") }],
        "R9 tip",
        [older],
      );
      await demo.git("update-ref", "refs/heads/shallow", tip);
      const folder = mkdtempSync(join(server.workspaces, "shallow-"));
      await demo.git(
        "clone",
        "--quiet",
        "--depth=1",
        "--branch=shallow",
        `file://${demo.folder}`,
        folder,
      );
      const push = await scene().git(via, ["-C", folder, "push", "REMOTE", "HEAD:refs/heads/half"]);
      await demo.git("update-ref", "-d", "refs/heads/shallow");

      expect(push.exitCode).toBe(1);
      expect(push.all).toContain("error[SHALLOW_PUSH]");
    });

    it.each(byWays([[]]))("with ids of SHA-256, over %s", async (via) => {
      const { server } = scene();
      const folder = mkdtempSync(join(server.workspaces, "sha256-"));
      const git = (...words: string[]) => scene().git(via, ["-C", folder, ...words]);
      await git("init", "--quiet", "--object-format=sha256", "--initial-branch=main");
      await git("commit", "--quiet", "--allow-empty", "--message", "SHA-256");
      const { main } = scene();
      const push = await git("push", "REMOTE", "main:refs/heads/sha256");

      expect(push.exitCode).not.toBe(0);
      expect(push.all).toMatch(/object format|hash algorithm/);
      expect(scene().main).toBe(main);
    });

    it.each(byWays([[]]))("from a repository that is empty, over %s", async (via) => {
      const { server } = scene();
      const folder = mkdtempSync(join(server.workspaces, "empty-"));
      await scene().git(via, ["-C", folder, "init", "--quiet"]);
      const push = await scene().git(via, ["-C", folder, "push", "REMOTE", "--all"]);

      expect([0, 1, 128]).toContain(push.exitCode);
    });

    it.each(byWays([["a tag of a tag"], ["a tag of a blob"], ["a tag of a tree"]], 1))(
      "%s, over %s",
      async (what, via) => {
        const { demo } = scene();
        const commit = await commitOf("R9 tagged");
        const target = {
          "a tag of a tag": [await tagOf(demo, commit, "commit"), "tag"],
          "a tag of a blob": [await demo.blob("R9"), "blob"],
          "a tag of a tree": [await demo.tree([]), "tree"],
        }[what] as [string, string];
        const tag = await tagOf(demo, ...target);
        const push = await scene().push(via, [`${tag}:refs/tags/deep`]);

        expect(push.exitCode, push.output).toBe(0);
        expect(await previews()).toEqual([]);
      },
    );

    it.each(byWays([["tag"], ["blob"], ["tree"]], 1))(
      "a branch that leads to a %s, over %s",
      async (what, via) => {
        const { demo, main } = scene();
        const commit = await commitOf("R9 no commit");
        const id =
          {
            tag: await tagOf(demo, commit, "commit"),
            blob: await demo.blob("R9"),
            tree: await demo.tree([]),
          }[what] ?? "";
        for (const branch of ["main", "no-commit"]) {
          // The client writes what is no commit under no branch: the words of the protocol are made by hand.
          const push = await scene().pushRaw(via, `refs/heads/${branch}`, id);

          expect(push.exitCode, push.output).not.toBe(0);
          expect(push.output).toMatch(/non-commit object|error\[\w+\]/);
        }
        expect(scene().main).toBe(main);
        await eventually(async () => (await previews()).length === 0);
      },
    );
  });

  it.each(Array.from({ length: isLong ? 20 : 1 }, (_, round) => [round]))(
    "R10: pushes that race, over both ways at once: what is served is what the ref says (round %i)",
    async (round) => {
      const { server, demo } = scene();
      const texts = [1, 2, 3].map((number) => `R10 ${round} ${number}`);
      const commits = await Promise.all(texts.map(commitOf));
      const pushes = await Promise.all([
        scene().push("http", [`+${commits[0] ?? ""}:refs/heads/main`]),
        scene().push("ssh", [`+${commits[1] ?? ""}:refs/heads/main`]),
        scene().push("http", [`+${commits[2] ?? ""}:refs/heads/race`]),
        scene().push("ssh", [":refs/heads/race"]),
      ]);

      expect(pushes.slice(0, 2).some(({ exitCode }) => exitCode === 0)).toBe(true);
      await server.settled("demo");
      expect(await onTheAir()).toBe(texts[commits.indexOf(scene().main)]);
      const race = await demo.remoteCommit("refs/heads/race");
      expect((await server.get("race--demo")).status).toBe(race === "" ? 404 : 200);
      expect(existsSync(server.path("srv/race--demo"))).toBe(race !== "");
    },
  );
}

function tagOf(demo: Workspace, object: string, type: string): Promise<string> {
  return demo.object(
    "tag",
    `object ${object}\ntype ${type}\ntag deep\ntagger Ada <ada@example.org> 1700000000 +0000\n\nDeep\n`,
  );
}
