import { lstatSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { evilAppNames, keptNames } from "../support/evil-names.ts";
import { basic } from "../support/people.ts";
import type { Outcome } from "../support/server.ts";
import { catalogue } from "./catalogue.ts";
import { isLong } from "./oracle.ts";
import { head, sendRaw } from "./raw.ts";
import { byWays, some, type SceneNow, type Transport } from "./scene.ts";

catalogue("names of repositories", nameCases);

/** What a repository is called, and where that may lead. */
function nameCases(scene: SceneNow): void {
  /** A look and a push by somebody who may create apps, with this name to the letter. */
  const tryName = async (
    name: string,
    via: Transport,
  ): Promise<{ status: number; text: string }> => {
    if (via === "ssh") {
      const { ssh } = scene().admin;
      const { exitCode, output } = await ssh.run(`git-receive-pack '${name}'`);
      return { status: exitCode, text: output };
    }
    const headers = [
      "Host: git.localhost",
      `Authorization: ${basic(scene().admin)}`,
      "Content-Type: application/x-git-receive-pack-request",
      "Content-Length: 4",
      "Connection: close",
    ];
    const address = { port: scene().server.port, host: "127.0.0.1" };
    return sendRaw(address, [head("POST", `/${name}/git-receive-pack`, headers), "0000"]);
  };
  const expectRefused = (
    { status, text }: { status: number; text: string },
    via: Transport,
  ): void => {
    // 502 is nginx's word where the front hangs up on what is no HTTP, such as a control character in a path.
    if (via === "http") expect([400, 404, 414, 502], text.slice(0, 300)).toContain(status);
    else {
      expect(status, text).toBeGreaterThan(0);
      expect(text).toMatch(/^error\[(APP_NAME_INVALID|SSH_REFUSED|NOT_ALLOWED)\]: /);
    }
    // eslint-disable-next-line no-control-regex -- what must not be shown
    expect(text).not.toMatch(/[\u0000-\u0008\u000e-\u001f\u007f\u202e]/);
  };
  const repositories = (): string[] => readdirSync(scene().server.path("lib/repositories")).sort();

  const namesOf = (number: keyof typeof evilAppNames): string[] =>
    evilAppNames[number].map(([, name]) => name);
  const paths: [string, string[]][] = [
    ["P1", namesOf("P1")],
    ["P2", namesOf("P2")],
    ["P3", namesOf("P3")],
    ["P4", namesOf("P4")],
    ["P5", namesOf("P5")],
    ["P6", [...keptNames, "xn--demo"]],
    ["P7", namesOf("P7")],
    ["P8", namesOf("P8")],
  ];

  describe.each(byWays(paths))("%s: names %j over %s", (number, names, via) => {
    it("make nothing and reach nothing", async () => {
      const before = repositories();
      for (const name of some(names, 6)) {
        // Over SSH git itself writes `/abs`, and `demo` and `demo/` alike: they are these repositories.
        if (via === "ssh" && ["/abs", "demo/", "demo.git/"].includes(name)) continue;
        expectRefused(await tryName(name, via), via);
      }
      expect(repositories(), number).toEqual(before);
    });
  });

  it("P7: demo, demo.git and demo/ are one repository", async () => {
    const { server, admin, demo } = scene();
    const listed: Outcome[] = [];
    for (const name of ["demo", "demo.git", "demo/", "demo.git/"]) {
      const address = admin.ssh.remote("").replace(/\/$/, "");
      const result = await demo.start(
        "-c",
        `core.sshCommand=${admin.ssh.gitSshCommand}`,
        "ls-remote",
        `${address}/${name}`,
      );
      listed.push({ exitCode: result.exitCode ?? -1, output: result.all });
    }
    listed.push(await demo.git("ls-remote", server.remote("demo").replace(/\.git$/, "")));

    for (const { exitCode, output } of listed) {
      expect(exitCode, output).toBe(0);
      expect(output).toContain(`${scene().main}\trefs/heads/main`);
    }
  });

  it.each(byWays([["file"], ["link"]]))(
    "P9: a %s in a repository's place is neither followed nor replaced, over %s",
    async (kind, via) => {
      const place = scene().server.path("lib/repositories/planted.git");
      if (kind === "file") writeFileSync(place, "");
      else symlinkSync(scene().server.path("lib/repositories/other.git"), place);
      const was = lstatSync(place).ino;

      const { demo, admin, server } = scene();
      const remote = via === "ssh" ? admin.ssh.remote("planted") : server.remote("planted");
      const push = await demo.start(
        "-c",
        `core.sshCommand=${admin.ssh.gitSshCommand}`,
        "push",
        remote,
        "HEAD:refs/heads/main",
      );
      const isThere = lstatSync(place).ino;
      rmSync(place);

      expect(push.exitCode).not.toBe(0);
      expect(push.all).toMatch(/error\[SYSTEM_REFUSED\]/);
      expect(isThere).toBe(was);
    },
  );

  it("P10: a look or a fetch makes no app, a hundred of them neither", async () => {
    const before = repositories();
    const names = Array.from({ length: isLong ? 1000 : 30 }, (_, number) => `seen-${number}`);
    for (const name of names) {
      for (const service of ["git-upload-pack", "git-receive-pack"])
        await scene().server.ask({
          host: `git.localhost:${scene().server.port}`,
          path: `/${name}.git/info/refs?service=${service}`,
          headers: { authorization: basic(scene().admin) },
        });
    }
    await scene().admin.ssh.run("git-upload-pack 'seen'");

    expect(repositories()).toEqual(before);
  });

  it.each(byWays([[]]))(
    "P11: an app that is called like another one's preview is another app, over %s",
    async (via) => {
      const { server, demo, admin } = scene();
      const before = await server.command("apps", {});
      const push = await scene().push(via, ["HEAD:refs/heads/dev"]);
      expect(push.exitCode, push.output).toBe(0);
      const made = await server.reeve("create", "demo-dev");
      expect(made.exitCode, made.output).toBe(0);
      const remote = via === "ssh" ? admin.ssh.remote("demo-dev") : server.remote("demo-dev");
      const commit = await demo.commitBeside({ "app.py": app("another") }, "Another app");
      const command = `core.sshCommand=${admin.ssh.gitSshCommand}`;
      const first = await demo.start("-c", command, "push", remote, `${commit}:refs/heads/main`);
      expect(first.exitCode, first.all).toBe(0);

      expect((await server.get("demo-dev")).body).toBe("another");
      expect((await server.get("dev--demo")).body).not.toBe("another");

      const destroyed = await server.reeve("destroy", "demo-dev", "--yes");
      expect(destroyed.exitCode, destroyed.output).toBe(0);
      expect(await server.command("apps", {})).toHaveLength(before.length);
    },
  );
}

function app(text: string): string {
  return `def app(environ, start_response):\n    start_response("200 OK", [])\n    return [b"${text}"]\n`;
}
