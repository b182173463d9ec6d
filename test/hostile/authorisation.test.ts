import { readdirSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import type { Right } from "../../src/names/names.ts";
import { needs } from "../../src/front/accounts/rights.ts";
import { findRoute } from "../../src/front/http/route.ts";
import { plainApp } from "../support/apps.ts";
import { auditOf, basic, makePerson, type Person } from "../support/people.ts";
import { eventually, type Outcome } from "../support/server.ts";
import { SshClient } from "../support/ssh.ts";
import { withApp, withServer } from "../support/with-server.ts";
import { isLong } from "./oracle.ts";

/** Who asks. `nobody` gives no credential, `wrong` one that is worth nothing; `other` is another app's admin. */
const everybody = [
  "nobody",
  "wrong",
  "stranger",
  "other",
  "reader",
  "reviewer",
  "deployer",
  "owner",
  "admin",
] as const;
type Who = (typeof everybody)[number];

const server = withServer([], { ssh: true });
const demo = withApp(server, "demo", plainApp("one"));
const people = new Map<Who, Person>();

beforeAll(async () => {
  await demo.deploy(plainApp("two"), "Another release");
  await server.reeve("create", "shop");

  const rights: Partial<Record<Who, Record<string, Right>>> = {
    stranger: {},
    other: { shop: "admin" },
    reader: { demo: "read" },
    reviewer: { demo: "preview" },
    deployer: { demo: "deploy" },
    owner: { demo: "admin" },
  };
  const making = Object.entries(rights).map(async ([name, granted]) =>
    people.set(name as Who, await makePerson(server, name, granted)),
  );
  await Promise.all(making);
  const ssh = new SshClient(server);
  await server.reeve("keys", "add", "admin", ssh.publicKey);
  people.set("admin", { name: "admin", token: server.token, ssh });
  people.set("wrong", { name: "reader", token: "reeve_wrong", ssh: new SshClient(server) });
});

function headersOf(who: Who): Record<string, string> {
  const person = people.get(who);
  return person ? { authorization: basic(person) } : {};
}

const fetchType = { "content-type": "application/x-git-upload-pack-request" };
const pushType = { "content-type": "application/x-git-receive-pack-request" };

/** One line of the matrix: the status that each of `everybody` gets, in that order. */
type Line = [method: string, path: string, headers: Record<string, string>, statuses: string];

const lines: Line[] = [
  // method, path, headers:                    nobody wrong stranger other reader reviewer deployer owner admin
  ["GET", "/demo.git/info/refs?service=git-upload-pack", {}, "401 401 404 404 200 200 200 200 200"],
  [
    "GET",
    "/demo.git/info/refs?service=git-receive-pack",
    {},
    "401 401 404 404 403 200 200 200 200",
  ],
  ["POST", "/demo.git/git-upload-pack", fetchType, "401 401 404 404 200 200 200 200 200"],
  ["POST", "/demo.git/git-receive-pack", pushType, "401 401 404 404 403 200 200 200 200"],
  [
    "GET",
    "/nosuch.git/info/refs?service=git-upload-pack",
    {},
    "401 401 404 404 404 404 404 404 404",
  ],
  [
    "GET",
    "/nosuch.git/info/refs?service=git-receive-pack",
    {},
    "401 401 404 404 404 404 404 404 200",
  ],
  ["POST", "/nosuch.git/git-upload-pack", fetchType, "401 401 404 404 404 404 404 404 404"],
  ["GET", "/shop.git/info/refs?service=git-upload-pack", {}, "401 401 404 200 404 404 404 404 200"],
  ["GET", "/demo.git/HEAD", {}, "401 401 404 404 404 404 404 404 404"],
  ["GET", "/demo.git/objects/info/packs", {}, "401 401 404 404 404 404 404 404 404"],
  ["GET", "/demo.git/config", {}, "401 401 404 404 404 404 404 404 404"],
  [
    "HEAD",
    "/demo.git/info/refs?service=git-upload-pack",
    {},
    "401 401 405 405 405 405 405 405 405",
  ],
  ["OPTIONS", "/demo.git/git-receive-pack", {}, "401 401 405 405 405 405 405 405 405"],
  ["PUT", "/demo.git/git-receive-pack", pushType, "401 401 405 405 405 405 405 405 405"],
  ["DELETE", "/demo.git/git-receive-pack", {}, "401 401 405 405 405 405 405 405 405"],
  ["GET", "/demo.git/git-receive-pack", {}, "401 401 405 405 405 405 405 405 405"],
  [
    "POST",
    "/demo.git/git-receive-pack",
    { "content-type": "text/plain" },
    "401 401 415 415 415 415 415 415 415",
  ],
  ["GET", "/", {}, "401 401 404 404 404 404 404 404 404"],
  ["GET", "/admin", {}, "401 401 404 404 404 404 404 404 404"],
  // A7: what stands in a query or in other headers decides nothing.
  [
    "POST",
    "/demo.git/git-receive-pack?service=git-upload-pack",
    pushType,
    "401 401 404 404 404 404 404 404 404",
  ],
  [
    "GET",
    "/demo.git/info/refs?service=git-upload-pack&service=git-receive-pack",
    {},
    "401 401 404 404 404 404 404 404 404",
  ],
  [
    "GET",
    "/demo.git/info/refs?service=git-receive-pack",
    { "x-forwarded-user": "admin", "remote-user": "admin" },
    "401 401 404 404 403 200 200 200 200",
  ],
  [
    "GET",
    "/demo.git/info/refs?service=git-receive-pack",
    { "x-original-url": "/shop.git/info/refs?service=git-upload-pack" },
    "401 401 404 404 403 200 200 200 200",
  ],
  [
    "GET",
    "/demo.git/info/refs?service=git-receive-pack",
    { "x-http-method-override": "POST", "reeve-key": "SHA256:x" },
    "401 401 404 404 403 200 200 200 200",
  ],
];

describe("the matrix over HTTP", () => {
  it.each(lines)("A1, A2, A7: %s %s (%j): %s", async (method, path, headers, statuses) => {
    const asking = everybody.map((who) =>
      server.ask({
        host: `git.localhost:${server.port}`,
        method,
        path,
        headers: { ...headers, ...headersOf(who) },
        ...(method === "POST" || method === "PUT" ? { body: "0000" } : {}),
      }),
    );
    const found = (await Promise.all(asking)).map(({ status }) => status);

    expect(found.join(" ")).toBe(statuses);
    expect(readdirSync(server.path("lib/repositories")).toSorted()).toEqual([
      "demo.git",
      "shop.git",
    ]);
  });

  it("A1: an app that one may not read answers to the letter as one that is not there", async () => {
    const ask = (app: string) =>
      server.ask({
        host: `git.localhost:${server.port}`,
        path: `/${app}.git/info/refs?service=git-receive-pack`,
        headers: headersOf("other"),
      });

    const [hidden, absent] = [await ask("demo"), await ask("absent")];

    expect(hidden.body.replaceAll("demo", "absent")).toBe(absent.body);
    for (const name of ["date", "content-length"])
      for (const { headers } of [hidden, absent]) Reflect.deleteProperty(headers, name);
    expect(hidden.headers).toEqual(absent.headers);
  });
});

async function git(who: Who, via: "http" | "ssh", ...words: string[]): Promise<Outcome> {
  const person = people.get(who);
  const remote =
    via === "http"
      ? server.remote("demo", person ? `${person.name}:${person.token}` : "")
      : (person?.ssh ?? new SshClient(server)).remote("demo");
  const ssh = person?.ssh ?? new SshClient(server);
  const [verb = "", ...rest] = words;
  const result = await demo.start(
    "-c",
    `core.sshCommand=${ssh.gitSshCommand}`,
    verb,
    remote,
    ...rest,
  );
  return { exitCode: result.exitCode ?? -1, output: result.all };
}

/** What a ref's push ends in, for each of `everybody`: the code of the error, or `ok`. */
const pushes: [title: string, refspec: string, verdicts: string][] = [
  [
    "the production branch",
    "+HEAD:refs/heads/main",
    "denied denied APP_UNKNOWN APP_UNKNOWN NOT_ALLOWED NOT_ALLOWED ok ok ok",
  ],
  [
    "another branch",
    "+HEAD:refs/heads/shop",
    "denied denied APP_UNKNOWN APP_UNKNOWN NOT_ALLOWED branch branch branch branch",
  ],
  [
    "a tag",
    "+HEAD:refs/tags/v1",
    "denied denied APP_UNKNOWN APP_UNKNOWN NOT_ALLOWED NOT_ALLOWED ok ok ok",
  ],
  [
    "the end of a tag",
    ":refs/tags/v1",
    "denied denied APP_UNKNOWN APP_UNKNOWN NOT_ALLOWED NOT_ALLOWED ok ok ok",
  ],
  [
    "the end of the production branch",
    ":refs/heads/main",
    "denied denied APP_UNKNOWN APP_UNKNOWN NOT_ALLOWED NOT_ALLOWED PRODUCTION_DELETE PRODUCTION_DELETE PRODUCTION_DELETE",
  ],
  [
    "a note",
    "HEAD:refs/notes/x",
    "denied denied APP_UNKNOWN APP_UNKNOWN NOT_ALLOWED NOT_ALLOWED REF_REFUSED REF_REFUSED REF_REFUSED",
  ],
];

function mainOnDisk(): string {
  return server.read("lib/repositories/demo.git/refs/heads/main");
}

function verdictOf({ exitCode, output }: Outcome): string {
  if (exitCode === 0) return "ok";
  const code = /error\[(\w+)\]/.exec(output)?.[1];
  if (code === "BRANCH_REFUSED") return "branch";
  if (code) return code;
  return /Authentication failed|could not read Username|Permission denied/.test(output)
    ? "denied"
    : output;
}

describe.each(["http", "ssh"] as const)("the matrix of pushes over %s", (via) => {
  it.each(pushes)("A6, S10: %s (%s): %s", async (_, refspec, verdicts) => {
    const found = new Map<Who, string>();
    const push = async (who: Who): Promise<void> => {
      const before = mainOnDisk();
      const verdict = verdictOf(await git(who, via, "push", refspec));
      found.set(who, verdict);
      if (verdict !== "ok") expect(mainOnDisk(), who).toBe(before);
    };
    const prepare = async (title: string): Promise<void> => {
      await demo.commit(title);
      if (refspec === ":refs/tags/v1") await git("admin", via, "push", "+HEAD:refs/tags/v1");
    };
    const isAllowed = everybody.map((who, at): [Who, boolean] => [
      who,
      /^(ok|branch)$/.test(verdicts.split(" ")[at] ?? ""),
    ]);

    // Those that are refused change nothing: they come all at once. The others come one after the other.
    await prepare("By those who may not");
    await Promise.all(isAllowed.flatMap(([who, allowed]) => (allowed ? [] : [push(who)])));
    for (const [who, allowed] of isAllowed) {
      if (!allowed) continue;
      await prepare(`By ${who}`);
      await push(who);
    }

    // A branch other than production is anybody's with the right to preview, whatever becomes of it then.
    expect(
      everybody
        .map((who) => found.get(who) ?? "")
        .map((verdict) => (refspec.endsWith("/shop") && verdict === "ok" ? "branch" : verdict))
        .join(" "),
    ).toBe(verdicts);
  });

  it("A6: a fetch is for whoever may read", async () => {
    const fetching = everybody.map((who) => git(who, via, "ls-remote"));
    const found = (await Promise.all(fetching)).map(verdictOf);

    expect(found.join(" ")).toBe("denied denied APP_UNKNOWN APP_UNKNOWN ok ok ok ok ok");
  });
});

const level: Who[] = ["reader", "reviewer", "deployer", "owner", "admin"];
const from = (who: Who): Who[] => level.slice(level.indexOf(who));

/** Who may use a command over SSH; the others are refused and written down. */
const commands: [command: string, allowed: Who[]][] = [
  ["show demo", from("reader")],
  ["releases demo", from("reader")],
  ["deploys demo", from("reader")],
  ["disk demo", from("reader")],
  ["logs demo --deploy 1", from("reader")],
  ["logs demo -n 1", from("reader")],
  ["options demo", from("reader")],
  ["vars demo", from("deployer")],
  ["rollback demo", from("deployer")],
  ["redeploy demo", from("deployer")],
  ["rebuild demo", from("deployer")],
  ["cancel demo", []],
  ["reconcile", from("admin")],
  ["vars demo set A=1", from("owner")],
  ["options demo set grace=30", from("owner")],
  ["options demo set host=shop.localhost", from("admin")],
  ["options demo set web_processes=1", from("admin")],
  ["grant stranger demo read", from("owner")],
  ["revoke stranger demo", from("owner")],
  ["create demo", []],
  ["destroy nosuch --yes", []],
  ["accounts", from("admin")],
  ["accounts add eve", from("admin")],
  ["accounts change eve --may-create", from("admin")],
  ["accounts remove eve", from("admin")],
  ["accounts remove admin", []],
  ["tokens create other", from("admin")],
  ["tokens", from("admin")],
  ["tokens revoke 9999", []],
  ["keys", from("admin")],
  ["keys add other ssh-ed25519", []],
  ["keys remove SHA256:x", []],
  ["audit", from("admin")],
  ["audit --rights-at 2999-01-01", from("admin")],
  ["previews demo", from("reader")],
];

describe("the matrix of commands over SSH", () => {
  it.each(commands)("A13: %s: %j", async (command, allowed) => {
    const asking = level.concat("other");
    const outcomes = new Map<Who, Outcome>();
    const ask = async (who: Who): Promise<void> =>
      void outcomes.set(who, await people.get(who)!.ssh.run(command));
    await Promise.all(asking.filter((who) => !allowed.includes(who)).map(ask));
    // Those that may are let in one after the other where one would be in the other's way.
    if (/^(rollback|redeploy|rebuild|account|(vars|options) demo set)/.test(command)) {
      for (const who of allowed) await ask(who);
    } else await Promise.all(allowed.map(ask));

    const found = asking.filter((who) => outcomes.get(who)?.exitCode === 0);
    for (const who of asking.filter((one) => !allowed.includes(one)))
      expect(outcomes.get(who)?.output).toMatch(/^error\[\w+\]: .*\nhint: /);
    expect(found).toEqual(allowed);
  });

  it("lists to each the apps that they may read", async () => {
    const found = [];
    for (const who of ["stranger", "other", "reader", "admin"] as const) {
      const { output } = await people.get(who)!.ssh.run("apps --json");
      found.push((JSON.parse(output) as { app: string }[]).map(({ app }) => app).join(" "));
    }

    expect(found).toEqual(["", "shop", "demo", "demo shop"]);
  });

  it("A1: says of an app that one may not read what it says of one that is not there", async () => {
    const { ssh } = people.get("other")!;
    for (const command of ["show", "logs", "vars", "rollback", "redeploy", "options"]) {
      const asking = [ssh.run(`${command} demo`), ssh.run(`${command} absent`)] as const;
      const [hidden, absent] = await Promise.all(asking);

      expect(hidden.output.replaceAll("demo", "absent")).toBe(absent.output);
      expect(hidden.exitCode).toBe(absent.exitCode);
    }
  });

  it("is closed to a key that nobody knows", async () => {
    expect(await people.get("wrong")!.ssh.run("apps")).toMatchObject({
      exitCode: 255,
      output: expect.stringContaining("Permission denied") as string,
    });
  });

  it("leaves every refusal in the audit log, with who, by what way and what", async () => {
    const entries = await auditOf(server);

    expect(entries).toContainEqual(
      expect.objectContaining({
        account: "reviewer",
        via: "ssh",
        action: "rollback",
        app: "demo",
        outcome: "refused",
      }),
    );
    expect(entries).toContainEqual(
      expect.objectContaining({
        account: "reader",
        via: "http",
        action: "push",
        app: "demo",
        outcome: "refused",
      }),
    );
    expect(entries).toContainEqual(
      expect.objectContaining({
        account: "owner",
        via: "ssh",
        action: "changeVariables",
        detail: "A",
        outcome: "done",
      }),
    );
  });
});

/** What a command about a preview ends in over SSH, for each of these; CART is a release that it had before. */
const asking: Who[] = ["stranger", "other", ...level];
const ofPreviews: [command: string, verdicts: string][] = [
  // command:                        stranger other reader reviewer deployer owner admin
  ["releases demo -b feature/cart", "APP_UNKNOWN APP_UNKNOWN ok ok ok ok ok"],
  ["logs demo -n 1 -b feature/cart", "APP_UNKNOWN APP_UNKNOWN ok ok ok ok ok"],
  ["rollback demo CART -b feature/cart", "APP_UNKNOWN APP_UNKNOWN NOT_ALLOWED ok ok ok ok"],
  ["redeploy demo -b feature/cart", "APP_UNKNOWN APP_UNKNOWN NOT_ALLOWED ok ok ok ok"],
  ["redeploy demo -b feature-cart--demo", "APP_UNKNOWN APP_UNKNOWN NOT_ALLOWED ok ok ok ok"],
  ["rebuild demo -b feature/cart", "APP_UNKNOWN APP_UNKNOWN NOT_ALLOWED ok ok ok ok"],
  [
    "cancel demo -b feature/cart",
    "APP_UNKNOWN APP_UNKNOWN NOT_ALLOWED DEPLOY_UNKNOWN DEPLOY_UNKNOWN DEPLOY_UNKNOWN DEPLOY_UNKNOWN",
  ],
  ["previews demo pin feature/cart", "APP_UNKNOWN APP_UNKNOWN NOT_ALLOWED NOT_ALLOWED ok ok ok"],
  ["previews demo unpin feature/cart", "APP_UNKNOWN APP_UNKNOWN NOT_ALLOWED NOT_ALLOWED ok ok ok"],
  // What the right to previews opens is never the app itself, whatever it is called by.
  ...["rollback", "redeploy", "rebuild", "cancel"].flatMap((command) =>
    (isLong ? ["main", "refs/heads/main", "demo"] : ["main"]).map((named): [string, string] => [
      `${command} demo -b ${named}`,
      `APP_UNKNOWN APP_UNKNOWN NOT_ALLOWED ${"PREVIEW_UNKNOWN ".repeat(4).trim()}`,
    ]),
  ),
  [
    "previews demo remove main",
    `APP_UNKNOWN APP_UNKNOWN NOT_ALLOWED ${"PREVIEW_UNKNOWN ".repeat(4).trim()}`,
  ],
];

describe("the matrix of commands about a preview over SSH", () => {
  let first: string;

  beforeAll(async () => {
    for (const text of ["cart 1", "cart 2"]) {
      demo.write(plainApp(text));
      await demo.commit(text);
      const { exitCode, output } = await git(
        "admin",
        "ssh",
        "push",
        "+HEAD:refs/heads/feature/cart",
      );
      expect(exitCode, output).toBe(0);
    }
    first = (await demo.git("rev-parse", "HEAD~1")).output.trim();
  });

  const branch = (): Promise<string> => demo.remoteCommit("refs/heads/feature/cart");

  it.each(ofPreviews)("A13: %s: %s", async (command, verdicts) => {
    const production = { ref: mainOnDisk(), ...(await server.get("demo")) };
    const outcomes = new Map<Who, Outcome>();
    const ask = async (who: Who): Promise<void> => {
      outcomes.set(who, await people.get(who)!.ssh.run(command.replace("CART", first)));
    };
    const deploys = async (): Promise<number> =>
      (await server.command("show", { app: "demo" })).deploys;
    const before = { branch: await branch(), deploys: await deploys() };

    const refused = asking.filter((_, index) => verdicts.split(" ")[index] !== "ok");
    await Promise.all(refused.map(ask));
    expect({ branch: await branch(), deploys: await deploys() }).toEqual(before);
    // Those that may are let in one after the other: they would be in each other's way.
    for (const who of asking.filter((one) => !refused.includes(one))) await ask(who);

    for (const who of refused)
      expect(outcomes.get(who)?.output, who).toMatch(/^error\[\w+\]: .*\nhint: /);
    const found = asking.map((who) => verdictOf(outcomes.get(who) as Outcome));
    expect(found.join(" ")).toBe(verdicts);
    expect(mainOnDisk()).toBe(production.ref);
    expect((await server.get("demo")).body).toBe(production.body);
    if (command.startsWith("rollback demo CART")) {
      expect(await branch()).toBe(first);
      expect((await server.get("feature-cart--demo")).body).toBe("cart 1");
    }
  });

  it("A13: whoever may push previews ends the deploy of one that is under way, and nobody with less", async () => {
    demo.write(plainApp("slow", { importFor: 20 }));
    await demo.commit("slow");
    const pushing = git("owner", "ssh", "push", "+HEAD:refs/heads/feature/slow");
    await eventually(
      () =>
        readdirSync(server.path("etc/vassals")).some((name) =>
          name.startsWith("feature-slow--demo."),
        ),
      30_000,
    );

    const cancel = "cancel demo -b feature/slow";
    const refused = await people.get("reader")!.ssh.run(cancel);
    const done = await people.get("reviewer")!.ssh.run(cancel);

    expect(verdictOf(refused)).toBe("NOT_ALLOWED");
    expect(refused.output).toContain("reader may not cancel deploys of previews of demo");
    expect(done.exitCode, done.output).toBe(0);
    expect((await pushing).output).toContain(
      "error[DEPLOY_CANCELLED]: reviewer cancelled this deploy",
    );
  });

  it("is in the audit log, with the preview and the release", async () => {
    const entries = await auditOf(server);

    for (const [account, outcome, detail] of [
      ["reader", "refused", "reader may not roll back previews of demo"],
      ["reviewer", "done", `feature/cart ${first}`],
    ])
      expect(entries).toContainEqual(
        expect.objectContaining({
          ...{ account, via: "ssh", action: "rollbackPreview", app: "demo", outcome, detail },
        }),
      );
  });
});

describe("the matrices", () => {
  it("have every route that there is", () => {
    const routes = lines.map(([method, url, headers]) =>
      findRoute({ method, url, contentType: headers["content-type"] }),
    );
    const found = routes.map((route) => ("kind" in route ? `${route.kind} ${route.service}` : ""));

    expect(found).toEqual(
      expect.arrayContaining(
        ["advertise", "serve"].flatMap((kind) =>
          ["upload-pack", "receive-pack"].map((service) => `${kind} ${service}`),
        ),
      ),
    );
  });

  it("have every action that there is: each was refused to somebody, but what nobody is refused", async () => {
    const entries = await auditOf(server);
    const refused = new Set(
      entries.filter(({ outcome }) => outcome === "refused").map(({ action }) => action),
    );
    // Whoever has proven an account sees its apps.
    const toNobody = ["apps"];

    const missing = Object.keys(needs).filter((action) => !refused.has(action));

    expect(missing.sort()).toEqual(toNobody);
  });
});

describe("an account that may create apps", () => {
  it.each(["http", "ssh"] as const)(
    "is the admin of what its first push makes, over %s",
    async (via) => {
      const app = `made-${via}`;
      const maker = await makePerson(server, `maker-${via}`, {}, { mayCreate: true });
      const remote =
        via === "http" ? server.remote(app, `x:${maker.token}`) : maker.ssh.remote(app);
      const command = `core.sshCommand=${maker.ssh.gitSshCommand}`;

      const commit = await demo.commitBeside(plainApp("made"), "made");

      const push = await demo.start("-c", command, "push", remote, `${commit}:refs/heads/main`);

      expect(push.exitCode, push.all).toBe(0);
      expect((await server.get(app)).status).toBe(200);
      expect((await maker.ssh.run(`vars ${app}`)).exitCode).toBe(0);
      expect((await maker.ssh.run(`destroy ${app} --yes`)).exitCode).toBe(0);
    },
  );

  it("learns that a name is taken, and nothing else of that app", async () => {
    const maker = await makePerson(server, "maker", {}, { mayCreate: true });

    const push = await demo.start(
      "push",
      server.remote("demo", `x:${maker.token}`),
      "HEAD:refs/heads/main",
    );

    expect(push.all).toContain(
      "error[NOT_ALLOWED]: the name demo is taken by an app of somebody else's",
    );
    expect((await maker.ssh.run("show demo")).output).toContain("there is no app demo");
  });

  it("has no right left in an app that was destroyed and made anew by another", async () => {
    const first = await makePerson(server, "first", {}, { mayCreate: true });
    const second = await makePerson(server, "second", {}, { mayCreate: true });
    await first.ssh.run("create twice");
    await first.ssh.run("destroy twice --yes");

    await second.ssh.run("create twice");

    expect((await first.ssh.run("show twice")).output).toContain("there is no app twice");
    expect((await second.ssh.run("show twice")).exitCode).toBe(0);
  });
});
