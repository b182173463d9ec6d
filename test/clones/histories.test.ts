import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { withServer } from "../support/with-server.ts";

/** Paths or addresses of clones, which are only read: `CLONES="../flask ../requests" npm run test:clones`. */
const clones = (process.env["CLONES"] ?? "").split(/\s+/).filter(Boolean);
if (clones.length === 0) throw new Error("CLONES names no clone, by its path or address");

describe("the whole history of a real repository", () => {
  const server = withServer(["push_limit = 2048"]);

  it.each(clones)(
    "is pushed with all its tags, and an app on top of it is live: %s",
    async (from) => {
      const app = `history-${clones.indexOf(from) + 1}`;
      const demo = await server.workspace(app, plainApp(app));
      const folder = join(demo.folder, "clone");
      await demo.git("clone", "--quiet", "--bare", from, folder);
      await demo.git(
        "fetch",
        "--quiet",
        folder,
        "HEAD:refs/heads/theirs",
        "refs/tags/*:refs/tags/*",
      );
      const words = ["commit-tree", "HEAD^{tree}", "-p", "theirs", "-m", "An app"];
      const { output: tip } = await demo.git(...words);

      const push = await demo.push("--tags", `${tip}:refs/heads/main`);

      expect(push.exitCode, push.output).toBe(0);
      expect((await server.get(app)).body).toBe(app);
      await demo.git("clone", "--quiet", server.remote(app), join(demo.folder, "back"));
    },
  );
});
