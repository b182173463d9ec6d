import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import type { Readable } from "node:stream";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { sleep } from "../../src/system/clock.ts";
import type { DeployState } from "../../src/names/deploy.ts";
import type { Right } from "../../src/names/names.ts";
import { packetLine } from "../hostile/raw.ts";
import { pushRequest } from "../support/packs.ts";
import { auditOf, basic, makePerson, type Person } from "../support/people.ts";
import { eventually } from "../support/server.ts";
import { withServer } from "../support/with-server.ts";
import type { Workspace } from "../support/workspace.ts";

const isLong = process.env["ROUNDS"] !== undefined;

/** Boots only while there is no such file. */
const slow = (text: string, gate: string): Record<string, string> => ({
  "app.py": `import os, time
while os.path.exists("${gate}"):
    time.sleep(0.05)

def app(environ, start_response):
    start_response("200 OK", [])
    return [b"${text}"]
`,
});

interface Started {
  /** All that it has said so far. */
  said: () => string;
  ended: Promise<{ exitCode?: number | undefined }>;
}

const places = 20;
const server = withServer([`git_sessions_each = ${places}`], { ssh: true });
let demo: Workspace;
let gate: string;
let turns = 0;

beforeAll(async () => {
  gate = server.path("gate");
  demo = await server.workspace("demo", slow("one", gate));
  for (const text of ["one", "two"]) {
    demo.write(slow(text, gate));
    await demo.commit(text);
    const { exitCode, output } = await demo.push("+HEAD:main", "+HEAD:shop");
    expect(exitCode, output).toBe(0);
  }
  await server.reeve("options", "demo", "set", "health_deadline=120");
  await server.settled("demo");
});

const holdAll = (): void => writeFileSync(gate, "");
const letGo = (): void => rmSync(gate);

function booting(): string[] {
  return readdirSync(server.path("etc/vassals")).filter((name) => name.includes(".next-"));
}

function push(via: "http" | "ssh", ...words: string[]) {
  return async (person: Person): Promise<Started> => {
    const commit = await demo.commitBeside(slow(`three, ${(turns += 1)}`, gate), "Not to be");
    const remote =
      via === "http" ? server.remote("demo", `x:${person.token}`) : person.ssh.remote("demo");
    const ssh = `core.sshCommand=${person.ssh.gitSshCommand}`;
    const told = words.map((word) => word.replace("NEW", commit));
    return started(demo.start("-c", ssh, "push", remote, ...told));
  };
}

function command(words: string) {
  return (person: Person): Promise<Started> => Promise.resolve(started(person.ssh.start(words)));
}

function started(child: Promise<{ exitCode?: number | undefined }> & { all: Readable }): Started {
  let said = "";
  child.all.on("data", (chunk: Buffer) => (said += chunk.toString()));
  return { said: () => said, ended: child };
}

type Begin = (person: Person) => Promise<Started>;

/** Whatever waits for others: for those who deploy the app itself, or its preview. */
const waiting: Record<string, Begin> = {
  "a push over HTTP": push("http", "+NEW:refs/heads/main"),
  "a push over SSH": push("ssh", "+NEW:refs/heads/main"),
  "a rollback": command("rollback demo"),
  "a redeploy": command("redeploy demo"),
  "a rebuild": command("rebuild demo"),
  "a change of variables": command("vars demo set A=1"),
  "the end of the app": command("destroy demo --yes"),
  "a preview's push over HTTP": push("http", "+NEW:refs/heads/shop"),
  "a preview's push over SSH": push("ssh", "+NEW:refs/heads/shop"),
  "the end of its branch over HTTP": push("http", ":refs/heads/shop"),
  "the end of its branch over SSH": push("ssh", ":refs/heads/shop"),
  "its rollback": command("rollback demo -b shop"),
  "its redeploy": command("redeploy demo -b shop"),
  "its rebuild": command("rebuild demo -b shop"),
  "its end by command": command("previews demo remove shop"),
};

/** What is on the air, what the branches are, and what has been deployed. */
async function state(): Promise<unknown> {
  const list = () => server.command("deploys", { app: "demo", limit: 20 });
  // What is refused is taken back when git has ended, and whoever pushed has gone by then.
  const underWay: DeployState[] = ["preparing", "proven", "switched"];
  await eventually(async () => (await list()).every((one) => !underWay.includes(one.state)));
  const deploys = await list();
  const [own, shop] = [await server.get("demo"), await server.get("shop--demo")];
  return {
    ...{ own: own.body, shop: shop.body },
    ...{ main: await demo.remoteCommit(), branch: await demo.remoteCommit("refs/heads/shop") },
    theirs: deploys.filter((one) => one.account !== "admin" && one.state !== "refused"),
  };
}

describe("what somebody may do is judged when the turn has come", () => {
  const losses: [title: string, take: (person: Person) => Promise<unknown>, told: RegExp][] = [
    [
      "the right is taken back",
      ({ name }) => server.reeve("revoke", name, "demo", "preview"),
      /error\[NOT_ALLOWED\]: \S+ may not/,
    ],
    [
      "the account goes",
      ({ name }) => server.reeve("accounts", "remove", name),
      /error\[NOT_ALLOWED\]: the credential that you gave was taken back/,
    ],
  ];

  beforeEach(() => eventually(() => booting().length === 0));

  it.each(losses)("for all that waits for its turn while %s", async (_, take, told) => {
    const ada = await makePerson(server, `ada-${(turns += 1)}`, { demo: "admin" });
    const before = await state();
    holdAll();
    const holding = [
      server.reeve("redeploy", "demo"),
      server.reeve("redeploy", "demo", "-b", "shop"),
    ];
    await eventually(() => booting().length === 2, 30_000);
    const all = new Map<string, Started>();
    for (const [title, begin] of Object.entries(waiting)) all.set(title, await begin(ada));
    const isWaiting = ({ said }: Started): boolean => said().includes("waits for its turn");
    await eventually(() => [...all.values()].every(isWaiting), 60_000);

    await take(ada);
    letGo();

    for (const { exitCode } of await Promise.all(holding)) expect(exitCode).toBe(0);
    for (const [title, { ended, said }] of all) {
      expect((await ended).exitCode, `${title}: ${said()}`).not.toBe(0);
      expect(said(), title).toMatch(told);
    }
    expect(await state()).toEqual(before);
  });

  /** Two that are built at the same time: one for the app itself, the other for its preview. */
  const building: [title: string, take: (person: Person) => Promise<unknown>, Begin[]][] = [
    [
      "the right is taken back",
      ({ name }) => server.reeve("revoke", name, "demo", "preview"),
      [push("http", "+NEW:refs/heads/main"), push("ssh", "+NEW:refs/heads/shop")],
    ],
    [
      "the account goes",
      ({ name }) => server.reeve("accounts", "remove", name),
      [push("ssh", "+NEW:refs/heads/main"), command("rollback demo -b shop")],
    ],
    [
      "its key is removed and its token revoked",
      async ({ name }) => {
        await server.reeve("keys", "remove", await keyOf(name));
        return server.reeve("tokens", "revoke", await tokenOf(name));
      },
      [command("vars demo set A=1"), push("http", "+NEW:refs/heads/shop")],
    ],
  ];

  it.each(building)("for what is being built while %s", async (_, take, begins) => {
    const ada = await makePerson(server, `ada-${(turns += 1)}`, { demo: "admin" });
    const before = await state();
    const kept = releases();
    holdAll();
    const all = await Promise.all(begins.map((begin) => begin(ada)));
    await eventually(() => booting().length === all.length, 60_000);

    expect(await take(ada)).toMatchObject({ exitCode: 0 });
    letGo();

    for (const { ended, said } of all) {
      expect((await ended).exitCode, said()).not.toBe(0);
      expect(said()).toMatch(
        /error\[NOT_ALLOWED\][^]*refused; still on the air: (shop--demo: )?[0-9a-f]{7}/,
      );
    }
    await eventually(() => booting().length === 0);
    expect(await state()).toEqual(before);
    expect(releases()).toEqual(kept);
    await expectRefused(ada, all.length);
  });

  it("for a branch that was built long before the last one that is to move with it", async () => {
    const ada = await makePerson(server, `ada-${(turns += 1)}`, { demo: "admin" });
    const before = await state();
    const kept = releases();
    const later = server.path("later");
    writeFileSync(later, "");
    const [main, shop] = [
      await demo.commitBeside(slow(`four, ${(turns += 1)}`, gate), "Not to be"),
      await demo.commitBeside(slow(`four, ${(turns += 1)}`, later), "Not to be"),
    ];
    const remote = server.remote("demo", `x:${ada.token}`);
    const refspecs = [`+${main}:refs/heads/main`, `+${shop}:refs/heads/shop`];
    const pushing = started(demo.start("push", "--atomic", remote, ...refspecs));
    await eventually(() => booting().some((name) => name.startsWith("shop")), 60_000);

    await server.reeve("revoke", ada.name, "demo", "deploy");
    rmSync(later);

    expect((await pushing.ended).exitCode, pushing.said()).not.toBe(0);
    expect(pushing.said()).toMatch(
      /error\[NOT_ALLOWED\][^]*refused; still on the air: [0-9a-f]{7}/,
    );
    await eventually(() => booting().length === 0);
    expect(await state()).toEqual(before);
    expect(releases()).toEqual(kept);
    // One lost its right, the other was to move with it.
    await expectRefused(ada, 2);
  });
});

/** Built while another branch becomes production, by who has the right to what it was. */
const becoming: {
  title: string;
  right: Right;
  becomes: string;
  begin: Begin;
}[] = [
  {
    title: "a preview's push over HTTP",
    right: "preview",
    becomes: "shop",
    begin: push("http", "+NEW:refs/heads/shop"),
  },
  {
    title: "a preview's push over SSH, beside a branch that is only kept",
    right: "preview",
    becomes: "kept",
    begin: push("ssh", "--atomic", "NEW~0:refs/heads/kept", "+NEW:refs/heads/shop"),
  },
  {
    title: "a preview's rollback",
    right: "preview",
    becomes: "shop",
    begin: command("rollback demo -b shop"),
  },
  {
    title: "the app's own push",
    right: "deploy",
    becomes: "shop",
    begin: push("http", "+NEW:refs/heads/main"),
  },
];

describe("what a branch is for is judged when it moves", () => {
  const setOptions = async (...words: string[]): Promise<void> => {
    expect(await server.reeve("options", "demo", "set", ...words)).toMatchObject({ exitCode: 0 });
  };

  beforeEach(() => eventually(() => booting().length === 0));
  beforeAll(() => setOptions("previews=shop"));
  afterEach(() => setOptions("production_branch=main"));

  const rows = isLong ? becoming : becoming.filter((_, at) => at % 2 === 1);
  it.each(rows)("for $title", async ({ right, becomes, begin }) => {
    const ben = await makePerson(server, `ben-${(turns += 1)}`, { demo: right });
    const before = await state();
    const kept = releases();
    holdAll();
    const { ended, said } = await begin(ben);
    await eventually(() => booting().length === 1, 60_000);

    await setOptions(`production_branch=${becomes}`);
    letGo();

    expect((await ended).exitCode, said()).not.toBe(0);
    expect(said()).toMatch(/error\[BRANCH_REFUSED\]: the production branch of demo was changed/);
    expect(await demo.remoteCommit(`refs/heads/kept`)).toBe("");
    await eventually(() => booting().length === 0);
    expect(await state()).toEqual(before);
    expect(releases()).toEqual(kept);
  });
});

describe("what somebody may read is judged when there is a place for it", () => {
  it("over HTTP, where refs are looked at and where objects are fetched, and over SSH", async () => {
    const ada = await makePerson(server, `ada-${(turns += 1)}`, { demo: "preview" });
    const remote = server.remote("demo", `x:${ada.token}`);
    const ssh = `core.sshCommand=${ada.ssh.gitSshCommand}`;
    const held = Array.from({ length: places }, () => beginPush(ada));
    const more = (): Promise<{ status: number }> =>
      server.receivePack("demo", "0000", `${ada.name}:${ada.token}`);
    await eventually(async () => (await withinASecond(more())) === undefined);
    const asking = [
      started(demo.start("ls-remote", remote)),
      started(demo.start("-c", ssh, "ls-remote", ada.ssh.remote("demo"))),
      started(ada.ssh.start("git-receive-pack 'demo'")),
    ];
    const want = packetLine(`want ${await demo.remoteCommit()} side-band-64k`);
    const type = "application/x-git-upload-pack-request";
    const fetching = server.ask({
      ...{ host: "git.localhost", method: "POST", path: "/demo.git/git-upload-pack" },
      headers: { authorization: basic(ada), "content-type": type },
      body: `${want}00000009done\n`,
    });
    expect(await withinASecond(Promise.race([...asking.map(({ ended }) => ended), fetching]))).toBe(
      undefined,
    );

    await server.reeve("revoke", ada.name, "demo", "read");
    for (const socket of held) socket.destroy();

    for (const { ended, said } of asking) {
      expect((await ended).exitCode, said()).not.toBe(0);
      expect(said()).toContain("error[APP_UNKNOWN]");
    }
    expect(await fetching).toMatchObject({ status: 404 });
  });
});

async function withinASecond<T>(answer: Promise<T>): Promise<T | undefined> {
  return Promise.race([answer, sleep(1000).then(() => undefined)]);
}

/** A push of which no more comes: it has a place. */
function beginPush(person: Person): ReturnType<typeof connect> {
  const socket = connect(server.port, "127.0.0.1");
  socket.write(`${pushRequest(person, 999)}00`);
  return socket.on("error", () => undefined);
}

const releases = (): string[] =>
  ["demo", "shop--demo"].flatMap((name) => readdirSync(server.path(`srv/${name}/releases`)));

async function expectRefused({ name }: Person, times: number): Promise<void> {
  const outcomes = async (): Promise<string[]> =>
    (await auditOf(server)).filter(({ account }) => account === name).map(({ outcome }) => outcome);
  await eventually(async () => (await outcomes()).length >= times);
  expect(await outcomes()).toEqual(Array<string>(times).fill("refused"));
}

async function keyOf(person: string): Promise<string> {
  const keys = await server.json<Record<string, string>[]>("keys", "--account", person);
  return keys[0]?.fingerprint ?? "";
}

async function tokenOf(person: string): Promise<string> {
  const tokens = await server.json<{ id: number }[]>("tokens", "--account", person);
  return String(tokens[0]?.id);
}
