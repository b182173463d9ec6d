import { readdirSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { evaluatingApp, plainApp } from "../support/apps.ts";
import { freePort } from "../support/ports.ts";
import { eventually, projectRoot, type TestServer, type Outcome } from "../support/server.ts";
import { Visitors } from "../support/visitors.ts";
import { withApp, withServer, withWorkspace } from "../support/with-server.ts";
import type { Workspace } from "../support/workspace.ts";

const whereabouts = evaluatingApp(
  "(environ['SCRIPT_NAME'], environ['PATH_INFO'], environ['HTTP_HOST'], os.environ['REEVE_URL'])",
);

/** Fills in Django's form at a place and sends it, as a browser does. */
async function signGuestbook(
  server: TestServer,
  { host, path, port }: { host: string; path: string; port: number },
): Promise<{ status: number; location: unknown; after: string }> {
  const at = { host: `${host}:${port}`, path, port };
  const page = await server.ask(at);
  const token = /name="csrfmiddlewaretoken" value="([^"]+)"/.exec(page.body)?.[1] ?? "";
  const fields = [...page.body.matchAll(/<(?:input|textarea)[^>]* name="([^"]+)"/g)].map(
    ([, name = ""]): [string, string] => [name, name === "csrfmiddlewaretoken" ? token : "Ada"],
  );
  const posted = await server.ask({
    ...at,
    method: "POST",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      cookie: String(page.headers["set-cookie"]).split(";")[0] ?? "",
      origin: `http://${at.host}`,
      referer: `http://${at.host}${path}`,
    },
    body: new URLSearchParams(fields).toString(),
  });
  return {
    status: posted.status,
    location: posted.headers.location,
    after: (await server.ask(at)).body,
  };
}

async function djangoExample(server: TestServer): Promise<Workspace> {
  const django = await server.workspace("django", {});
  django.copy(join(projectRoot, "examples/django"));
  await django.commit("The example");
  return django;
}

/** Every file of nginx's that a name is in. */
function nginxFiles(server: TestServer, name: string): string[] {
  return readdirSync(server.path("etc/nginx"), { recursive: true })
    .map(String)
    .filter((file) => file.includes(name));
}

describe("previews at one host, told apart by path", () => {
  const server = withServer([], { visited: true });
  const demo = withWorkspace(server, "demo", whereabouts);
  let other: Workspace;

  const get = (path: string) => server.get("preview", path);
  const push = async (workspace: Workspace, files: Record<string, string>, ref: string) => {
    workspace.write(files);
    await workspace.commit(`For ${ref}`);
    const { exitCode, output } = await workspace.push(ref);
    expect(exitCode, output).toBe(0);
    return output;
  };

  beforeAll(async () => {
    other = await server.workspace("other", whereabouts);
    for (const [app, workspace] of [
      ["demo", demo],
      ["other", other],
    ] as const) {
      await workspace.push();
      await server.reeve("options", app, "set", "preview_host=preview.localhost");
    }
    await server.reeve("options", "demo", "set", "preview_idle=2");
  });

  it("leave nothing of that host where the first one is refused", async () => {
    demo.write({ "app.py": "import nosuchmodule\n" });
    await demo.commit("Broken");

    const { exitCode, output } = await demo.push("HEAD:broken");

    expect(exitCode).toBe(1);
    expect(output).toContain("No module named 'nosuchmodule'");
    expect(output).not.toContain("mounting");
    expect(nginxFiles(server, "preview.localhost")).toEqual([]);
  });

  it("are told their path, and answer with it in every address", async () => {
    const output = await push(demo, whereabouts, "HEAD:shop");

    const url = `http://preview.localhost:${server.port}/shop/`;
    expect(output).toContain(`healthy (GET /shop/ 200)`);
    expect(output).toContain("made for preview.localhost/shop/");
    expect(output).toMatch(new RegExp(`live +${url} `));
    const answer = await get("/shop/cart");
    expect(answer.body).toBe(`('/shop', '/cart', 'preview.localhost:${server.port}', '${url}')`);
    expect(answer.headers["x-robots-tag"]).toBe("noindex");
    expect(answer.headers["x-reeve-release"]).toMatch(/^shop [0-9a-f]{40}$/);
    const bare = await get("/shop");
    expect([bare.status, bare.headers.location]).toEqual([301, url]);
    expect((await get("/")).body).toBe("There is no preview at this address.\n");
    expect((await server.get("shop--demo")).status).toBe(404);
  });

  it("have the app's name in the path where two apps have the same branch", async () => {
    expect(await push(other, {}, "HEAD:shop")).toContain("/shop--other/ ");

    expect((await get("/shop--other/")).body).toContain("'/shop--other'");
    expect((await get("/shop/")).body).toContain("'/shop'");
  });

  it("are asked below their path whether they are healthy", async () => {
    await server.reeve("options", "other", "set", "health_path=/up", "health_status=204");
    const words = `
def app(environ, start_response):
    isUp = (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/picky", "/up")
    start_response("204 No Content" if isUp else "200 OK", [])
    return []
`;

    expect(await push(other, { "app.py": words }, "HEAD:picky")).toContain(
      "healthy (GET /picky/up 204)",
    );
    await other.push(":picky");
    await server.reeve("options", "other", "set", "health_path=/", "health_status=0");
  });

  it("sleep and wake, and a push under load is not noticed", async () => {
    await push(demo, plainApp("before", { importFor: 0.5 }), "HEAD:shop");
    await server.asleepAfterPush("shop--demo");
    await eventually(() => server.processesOf("shop--demo").length === 0, 30_000);
    const visitors = new Visitors(server, "preview", "/shop/");
    visitors.come(50, "before");

    await push(demo, plainApp("after", { importFor: 0.5 }), "HEAD:shop");
    visitors.expectFromNowOn("after");
    await server.asleepAfterPush("shop--demo");

    expect(await visitors.leave()).toEqual({ failed: [], stale: [] });
  });

  it("let Django take a form with its CSRF token, and redirect within their path", async () => {
    const django = await djangoExample(server);
    await push(django, {}, "main");
    await server.reeve("options", "django", "set", "preview_host=preview.localhost");
    await push(django, {}, "HEAD:guests");

    const at = { host: "preview.localhost", path: "/guests/", port: server.port };
    const signed = await signGuestbook(server, at);

    expect(signed).toMatchObject({ status: 302, location: "/guests/" });
    expect(signed.after).toContain("Ada");
    expect((await server.get("django")).body).not.toContain("Ada");
  });

  it("come back with the server", async () => {
    await server.interrupt();
    await server.up();

    expect((await get("/shop/")).body).toBe("after");
    expect((await get("/guests/")).body).toContain("Ada");
  });

  it("cannot have a host that is an app's, nor reeve's", async () => {
    for (const [host, words] of [
      ["demo.localhost", "demo.localhost/-/ belongs to demo"],
      ["git.localhost", "git.localhost belongs to reeve itself"],
    ]) {
      const set = ["options", "other", "set", `preview_host=${host}`];
      const { exitCode, output } = await server.reeve(...set);
      expect(exitCode).toBe(1);
      expect(output).toContain(`error[PLACE_TAKEN]: ${words}`);
    }
    await server.reeve("options", "other", "set", "preview_host=preview.localhost");
    expect(await server.json<unknown[]>("previews", "other")).toHaveLength(1);
  });

  it("move with the option at their next push, and leave nothing behind", async () => {
    await server.reeve("options", "other", "set", "preview_host=");
    const was = await get("/shop--other/");
    expect(was.status).toBe(200);

    await push(other, whereabouts, "HEAD:shop");

    expect((await server.get("shop--other")).body).toContain("('', '/'");
    expect((await get("/shop--other/")).status).toBe(404);
    expect(nginxFiles(server, "shop--other")).toHaveLength(2);
  });

  it("are gone with their branch, and the host with the last of them", async () => {
    const gone = await demo.push(":shop");
    expect(gone.output).toContain("/shop/");
    expect((await get("/shop/")).body).toBe("There is no preview at this address.\n");
    expect((await get("/guests/")).status).toBe(200);
    expect(nginxFiles(server, "shop--demo")).toEqual([]);

    await server.reeve("previews", "django", "remove", "guests");

    expect((await get("/guests/")).body).toBe("There is no app at this address.\n");
    expect(nginxFiles(server, "preview.localhost")).toEqual([]);
  });
});

describe("previews at one host, told apart by port", () => {
  const server = withServer();
  const demo = withApp(server, "demo", whereabouts);
  let first: number;

  const get = (port: number, path = "/") => server.ask({ host: `localhost:${port}`, path, port });

  beforeAll(async () => {
    first = await freePorts();
    await server.reeve("options", "demo", "set", `preview_ports=${first}-${first + 1}`);
  });

  it("answer at the server's domain and a port each, which somebody else's is never", async () => {
    const somebody = await listen(first);
    const output = (await demo.push("HEAD:one")).output;
    await new Promise((resolve) => somebody.close(resolve));
    expect(output).toMatch(new RegExp(`live +http://localhost:${first + 1}/ `));

    expect((await demo.push("HEAD:two")).output).toContain(`http://localhost:${first}/`);

    for (const port of [first, first + 1]) {
      const own = `localhost:${port}`;
      expect((await get(port)).body).toBe(`('', '/', '${own}', 'http://${own}/')`);
    }
    expect((await server.get("demo")).body).toContain(`'http://demo.localhost:${server.port}/'`);
  });

  it("are given no ports of which none can be had", async () => {
    const somebody = await listen(first + 2);
    await server.reeve("create", "shop");
    const set = (app: string, ports: string): Promise<Outcome> =>
      server.reeve("options", app, "set", `preview_ports=${ports}`);
    try {
      for (const [app, port] of [
        ["demo", server.port],
        ["demo", first + 2],
        ["shop", first],
      ] as const)
        expect((await set(app, `${port}-${port}`)).output).toContain(
          `error[PLACE_TAKEN]: none of the ports ${port}-${port} is free for previews of ${app}`,
        );
      // One's own are no one else's, and one that is free is enough.
      expect((await set("shop", `${first + 1}-${first + 3}`)).exitCode).toBe(0);
      expect((await set("demo", `${first}-${first + 1}`)).exitCode).toBe(0);
    } finally {
      await new Promise((resolve) => somebody.close(resolve));
      await server.reeve("destroy", "shop", "--yes");
    }
  });

  it("are refused when no port is left, until one is free again", async () => {
    const refused = await demo.push("HEAD:three");
    expect(refused.exitCode).toBe(1);
    expect(refused.output).toContain("error[PREVIEW_LIMIT]");
    expect(await server.json<unknown[]>("previews", "demo")).toHaveLength(2);

    await demo.push(":one");
    await expect(get(first + 1)).rejects.toThrow("ECONNREFUSED");
    expect(nginxFiles(server, "one--demo")).toEqual([]);

    expect((await demo.push("HEAD:three")).output).toContain(`:${first + 1}/`);
    await demo.push(":three");
  });

  it("keep their port from push to push, asleep and after the server's restart", async () => {
    await server.reeve("options", "demo", "set", "preview_idle=1");
    demo.write(plainApp("again"));
    await demo.commit("Again");
    expect((await demo.push("HEAD:two")).output).toContain(`:${first}/`);
    await server.asleepAfterPush("two--demo");
    await server.interrupt();
    await server.up();

    expect(server.processesOf("two--demo")).toEqual([]);
    expect((await get(first)).body).toBe("again");
  });

  it("let Django take a form with its CSRF token", async () => {
    const django = await djangoExample(server);
    await django.push();
    await server.reeve("options", "django", "set", `preview_ports=${first}-${first + 1}`);
    const { exitCode, output } = await django.push("HEAD:guests");
    expect(exitCode, output).toBe(0);

    const at = { host: "localhost", path: "/", port: first + 1 };
    expect(await signGuestbook(server, at)).toMatchObject({
      status: 302,
      location: "/",
      after: expect.stringContaining("Ada") as string,
    });
  });
});

/** The first of four ports beside each other at which nobody listens. */
async function freePorts(): Promise<number> {
  let ports = [await freePort()];
  while (ports.length < 4) {
    const next = await freePort();
    ports = next === (ports.at(-1) ?? 0) + 1 ? [...ports, next] : [next];
  }
  return ports[0] ?? 0;
}

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}
