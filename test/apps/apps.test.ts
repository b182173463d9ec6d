import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PackageIndex } from "../support/package-index.ts";
import { TestServer } from "../support/server.ts";
import { addAdapter, wheelFolder } from "../support/wheels.ts";
import { bringOnAir, follow, hintOf } from "./owner.ts";
import { answering, shapes } from "./shapes.ts";

let server: TestServer;
let index: PackageIndex;
const wheels = addAdapter(wheelFolder());

beforeAll(async () => {
  index = await PackageIndex.start(wheels, "secret");
  server = await TestServer.start([`package_index = "${index.address("secret")}"`]);
});
afterAll(async () => {
  await server.remove();
  index.stop();
});

describe("an app as people have it", () => {
  it.concurrent.each(shapes.map((shape, at) => ({ ...shape, app: `shape-${at + 1}` })))(
    "is on the air, once its owner has done what the refusal says: $title",
    ({ app, ...shape }) =>
      bringOnAir(server, app, shape, {
        wheels,
        env: { UV_DEFAULT_INDEX: index.address("secret") },
      }),
  );
});

describe("the folder that an app runs in", () => {
  it("is each app's own, of one repository that is pushed to both", async () => {
    const workspace = await server.workspace("mono-web", {
      "web/app.py": answering("__import__('os').getcwd()[-4:] + greeting.version", {
        imports: "import greeting",
      }),
      "web/requirements.txt": "greeting==1.0\n",
      "api/app.py": answering("__import__('os').path.exists('../web/app.py')"),
    });
    for (const name of ["web", "api"]) {
      await server.reeve("create", `mono-${name}`);
      const set = await server.reeve("options", `mono-${name}`, "set", `root=${name}`);
      expect(set.exitCode, set.output).toBe(0);
    }

    await workspace.git("push", "--quiet", "deploy", "main");
    await workspace.git("push", "--quiet", server.remote("mono-api"), "main");
    await server.settled("mono-web");

    expect((await server.get("mono-web")).body).toBe("/web1.0");
    expect((await server.get("mono-api")).body).toBe("True");
    expect(server.read("etc/vassals/mono-web.ini")).toContain(
      `\nchdir = ${server.path("srv")}/%n/app/web\n`,
    );
    expect(existsSync(server.path("srv/mono-web/app/api/app.py"))).toBe(true);
  });

  it("is refused where a commit lacks it or a link leads out, and an older commit comes back without it", async () => {
    const workspace = await server.workspace("moved", { "app.py": answering("'top'") });
    await workspace.git("push", "--quiet", "deploy", "main");
    const first = await workspace.head();
    await workspace.deploy({ "app.py": null, "backend/app.py": answering("'backend'") });
    await server.reeve("options", "moved", "set", "root=backend");
    const push = await workspace.push("+HEAD:main");
    expect(push.exitCode, push.output).toBe(0);
    expect((await server.get("moved")).body).toBe("backend");

    const preview = await workspace.push(`${first}:refs/heads/before`);
    const back = await server.reeve("rollback", "moved");
    expect(preview.output).toMatch(
      /the option root of moved is backend, which this commit does not have/,
    );
    expect(back.output).toMatch(/MODULE_NOT_FOUND.*which this commit does not have/s);
    expect((await server.get("moved")).body).toBe("backend");

    await follow(hintOf(back.output), { server, workspace });
    const again = await server.reeve("rollback", "moved");
    expect(again.exitCode, again.output).toBe(0);
    expect((await server.get("moved")).body).toBe("top");
  });
});
