import { beforeAll, describe, expect, it } from "vitest";
import type { AuditRecord } from "../../src/names/account.ts";
import { plainApp } from "../support/apps.ts";
import { auditOf, makePerson, type Person } from "../support/people.ts";
import { eventually } from "../support/server.ts";
import { withServer, withWorkspace } from "../support/with-server.ts";

type Entry = Record<"account" | "action" | "app" | "outcome", string> & {
  detail: string | null;
  times: number;
};

const server = withServer([], { ssh: true });
const demo = withWorkspace(server, "demo", plainApp("one"));
let ada: Person;
let reader: Person;

const audit = (): Promise<AuditRecord[]> => auditOf(server);
const refusals = async (): Promise<number> =>
  (await audit())
    .filter(({ outcome }) => outcome === "refused")
    .reduce((sum, { times }) => sum + times, 0);
const pushAs = ({ name, token }: Person, ...refs: string[]) =>
  demo.start("push", server.remote("demo", `${name}:${token}`), ...refs);

beforeAll(async () => {
  await demo.push("main", "main:shop");
  ada = await makePerson(server, "ada", { demo: "admin" });
  reader = await makePerson(server, "reader", { demo: "read" });
});

describe("the audit log", () => {
  it("says of a deletion that was refused that it was, and of one that was done that it was", async () => {
    const before = (await audit()).length;

    expect((await pushAs(ada, ":main")).exitCode).toBe(1);
    expect((await pushAs(ada, ":main", "HEAD:refs/tags/kept")).exitCode).toBe(1);
    expect((await pushAs(ada, ":shop")).exitCode).toBe(0);

    const found = (await audit()).slice(0, -before).map(({ outcome, detail }) => [outcome, detail]);
    expect(found.filter(([outcome]) => outcome === "done").map(([, detail]) => detail)).toEqual([
      "refs/heads/shop deleted",
      expect.stringMatching(/^refs\/tags\/kept [0-9a-f]+$/),
    ]);
    expect(found).toContainEqual(["refused", "refs/heads/main not deleted: PRODUCTION_DELETE"]);
  });

  it("says of the deletion of what is not there that it was refused", async () => {
    const none = "0".repeat(40);
    const head = await demo.head();
    for (const line of [
      `${none} ${none} refs/heads/nosuch`,
      `${head} ${none} refs/heads/nosuch`,
      `${none} ${none} refs/tags/nosuch`,
      `${head} ${none} refs/tags/nosuch`,
    ]) {
      const before = await refusals();
      const words = `${line}\0 report-status\n`;
      const length = (4 + words.length).toString(16).padStart(4, "0");
      await server.receivePack("demo", `${length}${words}0000`, `ada:${ada.token}`);
      await eventually(async () => (await refusals()) > before);
    }

    const found = (await audit()).filter(({ detail }) => detail?.includes("nosuch"));
    expect(new Set(found.map(({ outcome }) => outcome))).toEqual(new Set(["refused"]));
  });

  it("says of a push that did not come through that it was refused", async () => {
    const commit = await demo.commitBeside({ Procfile: "web: nothing\n" }, "Broken");

    expect((await demo.push(`+${commit}:refs/heads/main`)).exitCode).toBe(1);

    const short = commit.slice(0, 7);
    const found = (await audit()).filter(({ detail }) => detail?.includes(short));
    expect(found.map(({ outcome }) => outcome)).toEqual(["refused"]);
  });

  it("says of a command that changed nothing that it did not", async () => {
    await ada.ssh.run("grant reader demo read");
    await ada.ssh.run("revoke reader demo admin");
    await ada.ssh.run("previews demo remove nosuch");
    await server.reeve("destroy", "nosuch", "--yes");

    const done = (await audit()).filter(({ outcome }) => outcome === "done");
    const later = done.slice(
      0,
      done.findIndex(({ action }) => action === "createToken"),
    );
    expect(later.map(({ action }) => action)).not.toContain("grant");
    expect(later.map(({ action }) => action)).not.toContain("revoke");
    expect(await audit()).toContainEqual(
      expect.objectContaining({ outcome: "refused", detail: "nosuch: PREVIEW_UNKNOWN" }),
    );
    expect(await audit()).toContainEqual(
      expect.objectContaining({ outcome: "refused", detail: "destroy: APP_UNKNOWN" }),
    );
  });

  it("says who had which right at a time that is over", async () => {
    const time = new Date().toISOString();
    await server.reeve("revoke", "reader", "demo");
    const now = await server.json<Entry[]>("audit", "--rights-at", new Date().toISOString());
    await server.reeve("grant", "reader", "demo", "read");

    const then = await server.json<Entry[]>("audit", "--rights-at", time);

    expect(then).toContainEqual({ account: "reader", app: "demo", right: "read" });
    expect(now).not.toContainEqual(expect.objectContaining({ account: "reader" }));
    expect((await server.reeve("audit", "--rights-at", "2020-01-01")).output).toContain(
      "error[TIME_UNKNOWN]",
    );
  });

  it("is in the front's log as well, for as long as that is kept: its changes, and no refusal", async () => {
    await reader.ssh.run("rollback demo");
    const lines = server
      .read("log/front.log")
      .split("\n")
      .filter((line) => line.includes('"change":'))
      .map((line) => (JSON.parse(line) as { change: Entry }).change);
    const done = (await audit()).filter(({ outcome }) => outcome === "done");

    expect(lines.map(({ action }) => action)).toEqual(done.map(({ action }) => action).reverse());
  });
});

const secret = "hush-Vn2kYc3";

describe("a secret", () => {
  it.each([
    ["a command that was misspelt", `setings demo set PASSWORD=${secret}`],
    ["a command that nobody knows", secret],
    ["an option that was misspelt", `options demo set preview_passwort=${secret}`],
    ["an option", `options demo set preview_password=${secret}`],
    ["an option's address", `options demo set host=https://ada:${secret}@shop.example`],
    ["a branch's name", `previews demo remove https://ada:${secret}@shop.example`],
    ["a release's name", `rollback demo https://ada:${secret}@shop.example`],
    ["a variable", `vars demo set PASSWORD=${secret}`],
    ["a variable whose name is none", `vars demo set PASS-WORD=${secret}`],
  ])("that stands in %s stands in nothing that others may see", async (_, command) => {
    await ada.ssh.run(command);

    expect(JSON.stringify(await audit())).not.toContain(secret);
    expect(server.read("log/front.log")).not.toContain(secret);
  });

  it("in place of a name, or of a token, is not repeated", async () => {
    const word = secret.toLowerCase();
    const headers = { authorization: `Basic ${btoa(`${word}:${secret}`)}` };
    const path = "/demo.git/info/refs?service=git-upload-pack";
    for (let count = 0; count < 110; count++)
      await server.ask({ host: `git.localhost:${server.port}`, path, headers });

    expect(JSON.stringify(await audit()).toLowerCase()).not.toContain(word);
    expect(server.read("log/front.log").toLowerCase()).not.toContain(word);
  });

  it("of a requirement's address is in no answer that the right to read is enough for", async () => {
    const requirements = `absent @ git+https://ada:${secret}@localhost:9/absent.git\n`;
    const files = { ...plainApp("none"), "requirements.txt": requirements };
    const commit = await demo.commitBeside(files, "A requirement with a password");
    const pushed = await pushAs(ada, `+${commit}:refs/heads/main`);
    expect(pushed.exitCode).toBe(1);
    await ada.ssh.run(`options demo set preview_password=${secret}`);

    const [last] = await server.json<{ number: number }[]>("deploys", "demo");
    const commands = ["show", "options", "releases", "deploys", "previews", "logs"];
    const asked = [...commands.map((one) => `${one} demo`), `logs demo --deploy ${last?.number}`];
    for (const command of asked.flatMap((one) =>
      /^logs/.test(one) ? [one] : [one, `${one} --json`],
    )) {
      const { exitCode, output } = await reader.ssh.run(command);
      expect([command, exitCode]).toEqual([command, 0]);
      expect(output, command).not.toContain(secret);
    }
    expect(pushed.all).not.toContain(secret);
    expect((await reader.ssh.run("options demo")).output).toContain('preview_password = "***"');
  });
});

describe("a right that is taken back", () => {
  it("while a push waits for its turn counts when the turn comes", async () => {
    const { exitCode: isSlow } = await demo.deploy(plainApp("slow", { importFor: 4 }), "Slow");
    expect(isSlow).toBe(0);
    await server.settled("demo");
    const commit = await demo.commitBeside(plainApp("taken back"), "Waits");
    const redeploying = server.reeve("redeploy", "demo");
    await eventually(async () => {
      const [last] = await server.command("deploys", { app: "demo", limit: 1 });
      return last?.state === "preparing";
    });
    const waiting = pushAs(ada, `+${commit}:refs/heads/main`);
    let said = "";
    waiting.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    await eventually(() => said.includes("waits for its turn"), 20_000);

    await server.reeve("revoke", "ada", "demo", "deploy");
    const { exitCode, all } = await waiting;

    expect((await redeploying).exitCode).toBe(0);
    expect(exitCode, all).toBe(1);
    expect(all).toContain("error[NOT_ALLOWED]");
    expect(await demo.remoteCommit()).not.toBe(commit);
  });
});
