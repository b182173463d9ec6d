import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { tidy } from "../../../../src/agent/converge/tidy.ts";
import { socketBehind } from "../../../../src/names/instance.ts";
import { cancelDeploy, refuseDeploy } from "../../../../src/agent/deploy/cancel.ts";
import {
  goLive,
  prepareDeploy,
  startDeploy,
  switchDeploy,
} from "../../../../src/agent/deploy/deploy.ts";
import { confirmRef, judgeHolder } from "../../../../src/agent/deploy/judge.ts";
import { prepareRemoval } from "../../../../src/agent/deploy/remove.ts";
import { UserError } from "../../../../src/errors.ts";
import { pathsOf } from "../../../../src/agent/world/context.ts";
import { gone } from "../../../support/unit-agent.ts";
import {
  begin,
  prove,
  push,
  servingWorld,
  shop,
  type ServingWorld,
} from "../../../support/unit-serving.ts";

const ref = "refs/heads/main";

const leads = ({ context }: ServingWorld, name = "demo"): string =>
  readlinkSync(socketBehind(pathsOf(context, name).link));

describe("a push", () => {
  it("is on the air when it is over, behind its permanent vassal, and says each step", async () => {
    const made = await servingWorld();
    const { context, said, emperor, system } = made;

    const deploy = await push(made);

    expect(said.map((line) => line.trim().split(/ +/)[0])).toEqual([
      ...["checkout", "environment", "boot", "health", "vhost", "live"],
    ]);
    expect(deploy).toMatchObject({ state: "live", note: "settled", strategy: "overlap" });
    expect(emperor.running).toEqual(["demo.ini"]);
    expect(leads(made)).toMatch(/\/demo\.sock$/);
    expect(system.nginx).toEqual(["-t -q", "-s reload"]);
    expect(context.store.instances.get("demo")).toMatchObject({ settled: deploy.id });
  });

  it("follows the one before, and takes nothing anew that did not change", async () => {
    const made = await servingWorld();
    await push(made);
    made.said.length = 0;

    const deploy = await push(made, { files: { "new.py": "" } });

    expect(made.said.join("\n")).toContain("checked out, 1 file changed");
    expect(made.said.join("\n")).toMatch(/environment +unchanged/);
    expect(made.said.join("\n")).not.toContain("vhost");
    expect(deploy.note).toBe("settled");
    expect(made.emperor.running).toEqual(["demo.ini"]);
  });
});

describe("a deploy that nobody knows", () => {
  it("is neither prepared nor switched", async () => {
    const { context } = await servingWorld();
    const request = {
      deploy: 99,
      subject: "",
      proposal: { processes: [], root: "", requirements: [] },
    };

    for (const done of [
      prepareDeploy(context, request, () => undefined),
      switchDeploy(context, 99),
    ])
      await expect(done).rejects.toMatchObject({ code: "DEPLOY_UNKNOWN" });
  });
});

describe("variables that a deploy has changed", () => {
  it("are the app's also where the former ones cannot be cleared away yet", async () => {
    const made = await servingWorld();
    const { context, system, repository } = made;
    await push(made, { variables: { set: { COLOUR: "red" }, unset: [] } });
    const { variables } = pathsOf(context, "demo");
    // Only a walker removes that, and one cannot be started just now.
    mkdirSync(join(variables, ".kept"));
    const deploy = await begin(made, { files: { "new.py": "" } });
    await prove(made, deploy, { variables: { set: { COLOUR: "blue" }, unset: [] } });
    await switchDeploy(context, deploy.id);
    repository.run(["update-ref", ref, deploy.newCommit]);
    const warned = vi.spyOn(context.log, "warn");
    const full = vi.spyOn(system, "run").mockImplementation((command) => {
      expect(command.input).toContain(`${variables}.former`);
      return Promise.reject(new Error("no room"));
    });

    await goLive(context, context.store.deploys.get(deploy.id)!);

    expect(context.store.deploys.get(deploy.id)).toMatchObject({ state: "live" });
    expect(readFileSync(join(variables, "COLOUR"), "utf8")).toBe("blue");
    expect(warned.mock.lastCall?.[1]).toBe("could not clear variables away");

    full.mockRestore();
    context.locks.release(deploy.holder);
    await tidy(context, "demo");
    expect(existsSync(`${variables}.former`)).toBe(false);
  });
});

describe("what an administrator changed by hand", () => {
  it("is left as it is, and the push says so", async () => {
    const made = await servingWorld();
    await push(made);
    const { layout } = made;
    const edited = [join(layout.vassals, "demo.ini"), join(layout.sitesAvailable, "demo.conf")];
    for (const path of edited) writeFileSync(path, `${readFileSync(path, "utf8")}# mine\n`);

    await push(made, { files: { "new.py": "" } });

    const said = made.said.join("\n");
    expect(said).toContain("vassal       edited by hand: left as it is, and proven as it is");
    expect(said).toContain("vhost        edited by hand: left as it is");
    for (const path of edited) expect(readFileSync(path, "utf8")).toMatch(/# mine\n$/);
  });
});

describe("a push that is refused", () => {
  it("leaves on the air what was, says so, and leaves nothing of its own", async () => {
    const made = await servingWorld();
    const { context, emperor, said, layout } = made;
    const former = await push(made);
    emperor.app = () => 500;

    const refused = push(made, { files: { "new.py": "" } });

    await expect(refused).rejects.toMatchObject({ code: "APP_UNHEALTHY", said: true });
    expect(said.join("\n")).toContain("GET / answered 500");
    expect(said.at(-1)).toBe(
      `reeve: refused; still on the air: ${former.newCommit.slice(0, 7)} "A change"`,
    );
    expect(emperor.running).toEqual(["demo.ini"]);
    expect(leads(made)).toMatch(/\/demo\.sock$/);
    expect(readdirSync(pathsOf(context, "demo").releases)).toEqual([former.newCommit]);
    const [deploy] = context.store.deploys.list("demo", 1);
    expect(readFileSync(join(layout.deployLogs, "demo", "2.log"), "utf8")).toContain(
      "reeve: refused",
    );
    expect(deploy).toMatchObject({ state: "refused" });
  });

  it("says that an app that dies at its start did not start", async () => {
    const made = await servingWorld();
    made.emperor.app = () => "dies";

    await expect(push(made)).rejects.toThrow("the app did not start");

    expect(made.said.at(-1)).toBe("reeve: refused; demo has never been on the air");
    expect(made.emperor.running).toEqual([]);
  });

  it("takes its server block back where nginx refuses it", async () => {
    const made = await servingWorld();
    made.system.refusal = "unknown directive";

    await expect(push(made)).rejects.toMatchObject({ code: "VHOST_REJECTED" });

    expect(readdirSync(made.layout.sitesAvailable)).toEqual([]);
    expect(made.context.store.instances.get("demo")).toBeUndefined();
  });

  it.each([
    ["what the front found", { problem: { code: "PROCFILE_INVALID", message: "no", hint: "" } }],
    ["another folder than the options say", { module: "app:app", root: "web", requirements: [] }],
  ])("is one of which the repository says: %s", async (_, proposal) => {
    const made = await servingWorld();
    const { id } = await begin(made);
    const request = { deploy: id, subject: "", proposal } as Parameters<typeof prepareDeploy>[1];

    await expect(prepareDeploy(made.context, request, () => undefined)).rejects.toBeInstanceOf(
      UserError,
    );

    expect(made.context.store.deploys.get(id)).toMatchObject({ state: "refused" });
    await expect(prepareDeploy(made.context, request, () => undefined)).rejects.toThrow(
      "not being prepared",
    );
  });

  it("is one whose branch is none of the app's, or has moved", async () => {
    const made = await servingWorld('previews = "none"');
    const shop = begin(made, { ref: "refs/heads/shop" });
    await expect(shop).rejects.toMatchObject({ code: "BRANCH_REFUSED" });

    made.repository.run(["update-ref", "refs/heads/other", "main"]);
    const { context } = made;
    const request = {
      ...{ app: "demo", ref, oldCommit: "1".repeat(40), newCommit: "2".repeat(40) },
      ...{ account: "ada", reason: "push" as const, holder: gone },
    };
    const moved = startDeploy(context, request, () => undefined);
    await expect(moved).rejects.toMatchObject({ code: "REF_MOVED" });
  });

  it("is refused once more by the front while it waits for its ref", async () => {
    const made = await servingWorld();
    const { context } = made;
    const deploy = await begin(made);
    await prove(made, deploy);
    const holder = deploy.holder;
    const reason = new UserError("BRANCH_REFUSED", "the right was taken away");
    const say = (line: string) => made.said.push(line);

    expect(await refuseDeploy(context, { holder, ref }, { reason, say })).toBe(true);

    expect(made.said.join("\n")).toContain("the right was taken away");
    expect(made.emperor.running).toEqual([]);
    expect(await refuseDeploy(context, { holder, ref }, { reason, say })).toBe(false);
    await expect(switchDeploy(context, deploy.id)).rejects.toThrow("refused, not proven");
    await expect(confirmRef(context, { holder, ref }, say)).rejects.toMatchObject({
      code: "REF_MOVED",
    });
  });
});

describe("a deploy that somebody cancels", () => {
  it("is refused, and its switch does not happen", async () => {
    const made = await servingWorld();
    const { context } = made;
    const deploy = await begin(made);
    await prove(made, deploy);

    expect(await cancelDeploy(context, "demo", "bob")).toMatchObject({ id: deploy.id });

    await expect(switchDeploy(context, deploy.id)).rejects.toThrow("bob cancelled this deploy");
  });

  it("is none where nothing is deployed", async () => {
    const cancelled = cancelDeploy((await servingWorld()).context, "demo", "bob");

    await expect(cancelled).rejects.toMatchObject({ code: "DEPLOY_UNKNOWN" });
  });
});

describe("a push that is gone", () => {
  it("is live where its ref has moved, and nobody said so", async () => {
    const made = await servingWorld();
    const { context, repository } = made;
    const deploy = await begin(made, { files: { "new.py": "" } });
    await prove(made, deploy);
    await switchDeploy(context, deploy.id);
    repository.run(["update-ref", ref, deploy.newCommit]);

    await judgeHolder(context, deploy.holder);
    await context.background.idle("demo");

    expect(context.store.deploys.get(deploy.id)).toMatchObject({ state: "live", note: "settled" });
    expect(context.locks.isHeld("demo")).toBe(false);
  });

  it("gives the traffic back where its ref has not moved", async () => {
    const made = await servingWorld();
    const { context } = made;
    await push(made);
    const deploy = await begin(made, { files: { "new.py": "" } });
    await prove(made, deploy, { variables: { set: { COLOUR: "red" }, unset: [] } });
    await switchDeploy(context, deploy.id);
    expect(leads(made)).toMatch(/\.next-2\.sock$/);

    await judgeHolder(context, deploy.holder);
    await context.background.idle("demo");

    expect(leads(made)).toMatch(/\/demo\.sock$/);
    expect(made.emperor.running).toEqual(["demo.ini"]);
    expect(existsSync(join(pathsOf(context, "demo").variables, "COLOUR"))).toBe(false);
    expect(context.store.deploys.get(deploy.id)?.error).toContain("git did not move");
  });

  it("leaves nothing where nothing was on the air before", async () => {
    const made = await servingWorld();
    const { context } = made;
    const deploy = await begin(made);
    await prove(made, deploy);
    await switchDeploy(context, deploy.id);
    made.repository.run(["update-ref", "refs/heads/kept", "main"]);
    made.repository.run(["update-ref", "-d", ref]);

    await judgeHolder(context, deploy.holder);

    expect(made.emperor.running).toEqual([]);
    expect(context.store.instances.get("demo")).toBeUndefined();
  });
});

describe("an app that cannot run beside itself", () => {
  it("is stopped and started, and says for how long it was off the air", async () => {
    const made = await servingWorld("overlap = false");
    await push(made);

    const deploy = await push(made, {
      files: { "new.py": "" },
      variables: { set: { COLOUR: "red" }, unset: [] },
    });

    expect(deploy).toMatchObject({ state: "live", strategy: "restart" });
    expect(made.said.join("\n")).toMatch(/health +healthy \(GET \/ 200\), off the air for \d+ ms/);
    expect(made.context.store.instances.get("demo")).toMatchObject({ settled: deploy.id });
    expect(readFileSync(join(pathsOf(made.context, "demo").variables, "COLOUR"), "utf8")).toBe(
      "red",
    );
    expect(made.emperor.running).toEqual(["demo.ini"]);
  });

  it("has its former release back when the new one does not answer well", async () => {
    const made = await servingWorld("overlap = false");
    const former = await push(made);
    const { app } = pathsOf(made.context, "demo");
    made.emperor.app = () => (readlinkSync(app).endsWith(former.newCommit) ? 200 : 500);

    const refused = push(made, { files: { "new.py": "" } });

    await expect(refused).rejects.toThrow("GET / answered 500");
    expect(readlinkSync(app)).toBe(`releases/${former.newCommit}`);
    expect(made.emperor.running).toEqual(["demo.ini"]);
    expect(existsSync(`${made.layout.vassals}/demo.ini.held`)).toBe(false);
  });
});

describe("the first release of an app that cannot run beside itself", () => {
  it.each([
    ["does not answer well", 500 as const, "GET / answered 500"],
    ["dies at its start", "dies" as const, "the app did not start"],
  ])("leaves nothing that runs where it %s", async (_, answer, why) => {
    const made = await servingWorld("overlap = false");
    made.emperor.app = () => answer;

    await expect(push(made)).rejects.toThrow(why);

    expect(made.emperor.running).toEqual([]);
    expect(existsSync(`${made.layout.vassals}/demo.ini.held`)).toBe(false);
  });
});

describe("a preview", () => {
  it("has a vassal on demand for its release when it has settled, and the former one goes", async () => {
    const made = await servingWorld();
    await push(made);

    const first = await push(made, shop);
    expect(made.emperor.running).toEqual(["demo.ini", `shop--demo.rel-${first.number}.ini`]);
    expect(made.said.join("\n")).toContain("copied from production's");
    const second = await push(made, { ...shop, files: { "new.py": "" } });

    expect(second.note).toBe("settled");
    expect(leads(made, "shop--demo")).toMatch(new RegExp(`\\.rel-${second.number}\\.sock$`));
    expect(made.emperor.running).toEqual(["demo.ini", `shop--demo.rel-${second.number}.ini`]);
  });

  it("leaves nothing, its name included, where its first push is refused", async () => {
    const made = await servingWorld();
    made.emperor.app = () => 500;

    await expect(push(made, shop)).rejects.toMatchObject({ code: "APP_UNHEALTHY" });

    expect(made.context.store.previews.all()).toEqual([]);
    expect(existsSync(pathsOf(made.context, "shop--demo").folder)).toBe(false);
  });

  it("is removed when its branch is gone, and a branch that is not on the air has none", async () => {
    const made = await servingWorld();
    const { context, repository, said } = made;
    const { newCommit: oldCommit } = await push(made, shop);
    const request = { app: "demo", ref: shop.ref, oldCommit, account: "ada", holder: gone };
    const none = { ...request, ref: "refs/heads/none" };
    expect(await prepareRemoval(context, none, () => undefined)).toBeUndefined();

    const removal = (await prepareRemoval(context, request, () => undefined))!;
    await switchDeploy(context, removal.id);
    repository.run(["update-ref", "-d", shop.ref]);
    await confirmRef(context, { holder: gone, ref: shop.ref }, (line) => said.push(line));

    expect(said.at(-1)).toMatch(/removed +http:\/\/shop--demo\.localhost\//);
    expect(made.emperor.running).toEqual([]);
    expect(readdirSync(made.layout.sitesAvailable)).toEqual([]);
  });
});
