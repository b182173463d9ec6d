import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { projectRoot } from "../support/server.ts";
import { withServer } from "../support/with-server.ts";
import type { Workspace } from "../support/workspace.ts";

describe("the examples", () => {
  const server = withServer();

  const example = async (name: string): Promise<Workspace> => {
    const workspace = await server.workspace(name, {});
    workspace.copy(join(projectRoot, "examples", name));
    await workspace.commit("The example");
    return workspace;
  };

  it("Flask redirects to its own host and port", async () => {
    const flask = await example("flask");
    const push = await flask.push();
    expect(push.exitCode, push.output).toBe(0);

    const answer = await server.get("flask", "/old");

    expect(answer.status).toBe(302);
    expect(answer.headers.location).toBe(`http://flask.localhost:${server.port}/`);
  });

  it("Flask sees the scheme, the host with its port, and no header that a visitor forged", async () => {
    const answer = await server.get("flask", "/where", {
      "x-forwarded-proto": "https",
      "x-forwarded-host": "evil.example",
    });

    expect(JSON.parse(answer.body)).toMatchObject({
      scheme: "http",
      host: `flask.localhost:${server.port}`,
      script_name: "",
    });
  });

  it("Flask keeps its data across deploys", async () => {
    const count = async (): Promise<number> =>
      Number(/\d+/.exec((await server.get("flask", "/counter")).body)?.[0]);
    const before = await count();
    const { exitCode, output } = await server.reeve("redeploy", "flask");
    expect(exitCode, output).toBe(0);

    expect(await count()).toBe(before + 1);
  });

  it("Django takes a form with its CSRF token, on a port of its own", async () => {
    const django = await example("django");
    const push = await django.push();
    expect(push.exitCode, push.output).toBe(0);

    const page = await server.get("django");
    expect(page.status, page.body).toBe(200);
    const token = /name="csrfmiddlewaretoken" value="([^"]+)"/.exec(page.body)?.[1] ?? "";
    const cookie = String(page.headers["set-cookie"]).split(";")[0] ?? "";
    const fields = [...page.body.matchAll(/<(?:input|textarea)[^>]* name="([^"]+)"/g)].map(
      (match) => match[1] ?? "",
    );
    const form = new URLSearchParams(
      fields.map((name): [string, string] => [
        name,
        name === "csrfmiddlewaretoken" ? token : "Ada",
      ]),
    );
    const origin = `http://django.localhost:${server.port}`;
    const posted = await server.ask({
      host: `django.localhost:${server.port}`,
      path: "/",
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        cookie,
        origin,
        referer: `${origin}/`,
      },
      body: form.toString(),
    });

    expect(posted.status, posted.body).toBe(302);
    expect((await server.get("django")).body).toContain("Ada");
  });

  it("Django keeps what was written through a deploy", async () => {
    await server.settled("django");
    const { exitCode, output } = await server.reeve("redeploy", "django");

    expect(exitCode, output).toBe(0);
    expect((await server.get("django")).body).toContain("Ada");
  });
});
