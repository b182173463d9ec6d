import { describe, expect, it } from "vitest";
import { objectProblems } from "../../src/front/push/objects.ts";
import { plainApp } from "../support/apps.ts";
import { hintOf, pushShape, shapes } from "../support/objects.ts";
import { withApp, withServer } from "../support/with-server.ts";

const made = Object.entries(shapes);
const isUntidy = ([name]: [string, unknown]): boolean =>
  objectProblems[name as keyof typeof objectProblems] === "untidy";

describe("an object that is not as it should be", () => {
  const server = withServer();
  const demo = withApp(server, "demo", plainApp("good"));

  it("is let in where it is only untidy, and what has it in its history is live", async () => {
    const refs: string[] = [];
    let tip = await demo.head();
    for (const [name, shape] of made.filter(isUntidy)) {
      const id = await shape(demo);
      refs.push(`${id}:refs/tags/${name}`);
      const { output: commit } = await demo.git("rev-parse", `${id}^{commit}`);
      tip = (await demo.git("commit-tree", "HEAD^{tree}", "-p", tip, "-p", commit, "-m", name))
        .output;
    }

    const push = await demo.push(`${tip}:refs/heads/main`, ...refs);

    expect(push.exitCode, push.output).toBe(0);
    expect(push.output).not.toMatch(/warning|error/);
    expect(await demo.remoteCommit()).toBe(tip);
    await demo.git("clone", "--quiet", server.remote("demo"), "clone");
  });

  it.each(made.filter((shape) => !isUntidy(shape)))(
    "is refused in reeve's words where it can do harm: %s",
    async (name, shape) => {
      const said = await pushShape(server, demo, { ref: "refs/heads/bad", shape });

      expect(said).toContain("error[OBJECT_REFUSED]: ");
      expect(said).toContain("hint: Mend it and push again.");
      expect(said).not.toMatch(/fatal:|ok refs/);
      // Of some, git finds sooner that they cannot be read at all.
      expect(said).toMatch(new RegExp(`\\(${name}\\)|\\(badTree\\)|git cannot read what`));
    },
  );

  it("that only the history holds is left behind by the line that the pusher is told", async () => {
    const bad = (await shapes["hasDotgit"]?.(demo)) ?? "";
    const words = ["commit-tree", "HEAD^{tree}", "-p", bad, "-m", "Bad history"];
    const { output: tip } = await demo.git(...words);
    await demo.git("reset", "--quiet", "--hard", tip);
    // So many that git takes another program to unpack them (receive.unpackLimit).
    demo.write(Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`${n}.txt`, `${n}`])));
    await demo.git("add", "*.txt");
    await demo.git("commit", "--quiet", "--message", "Many files");

    const push = await demo.push("+HEAD:main");

    expect(push.exitCode).toBe(1);
    const next = await demo.run(hintOf(push.output));
    expect(next.exitCode, next.output).toBe(0);
    expect((await server.get("demo")).body).toBe("good");
  });
});
