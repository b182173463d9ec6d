import Database from "libsql";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Instance, Place } from "../../../src/names/instance.ts";
import type { Process } from "../../../src/names/process.ts";
import type { NewDeploy } from "../../../src/agent/store/deploys.ts";
import { schema } from "../../../src/agent/store/schema.ts";
import { AgentStore } from "../../../src/agent/store/store.ts";
import { temporaryFolder } from "../../support/unit-folder.ts";

const holder = { pid: 7, startTime: 100, turn: 0 };

function open(path = join(temporaryFolder(), "agent.db")): AgentStore {
  const store = new AgentStore(path);
  onTestFinished(() => store.close());
  return store;
}

function withApps(...names: string[]): AgentStore {
  const store = open();
  for (const name of names) store.apps.create(name);
  return store;
}

function instance(name: string, host = `${name}.localhost`, path = "/"): Instance {
  return { name, app: name, branch: "main", place: { scheme: "http", host, path, port: 0 } };
}

function newDeploy(app: string, commit = "a", more: Partial<NewDeploy> = {}): NewDeploy {
  return {
    app,
    instance: app,
    reason: "push",
    account: "admin",
    ref: "refs/heads/main",
    oldCommit: "0".repeat(40),
    newCommit: commit.repeat(40),
    holder,
    ...more,
  };
}

/** A deploy that went on the air. */
function goLive(store: AgentStore, app: string, commit: string): number {
  const { id } = store.deploys.start(newDeploy(app, commit));
  store.deploys.change(id, {
    subject: `Commit ${commit}`,
    state: "live",
    liveAt: new Date().toISOString(),
  });
  return id;
}

describe("apps", () => {
  it("are listed by name, and made once", () => {
    const store = withApps("shop", "demo", "shop");

    expect(store.apps.names()).toEqual(["demo", "shop"]);
    expect(store.apps.has("demo")).toBe(true);
    expect(store.apps.has("nosuch")).toBe(false);
  });

  it("have a generation that a rebuild raises, for each by itself", () => {
    const store = withApps("demo", "shop");

    store.apps.raiseGeneration("demo", false);
    store.apps.raiseGeneration("demo", false);

    expect([
      store.apps.generation("demo", false),
      store.apps.generation("shop", false),
      store.apps.generation("nosuch", false),
    ]).toEqual([2, 0, 0]);
  });

  it("have one for previews, whose rebuilds are nothing to production", () => {
    const store = withApps("demo");

    store.apps.raiseGeneration("demo", false);
    store.apps.raiseGeneration("demo", true);

    expect([store.apps.generation("demo", false), store.apps.generation("demo", true)]).toEqual([
      1, 2,
    ]);
  });

  it("leave nothing behind when they go: the next one of the name begins anew", () => {
    const store = withApps("demo", "shop");
    store.instances.place(instance("demo"));
    const id = goLive(store, "demo", "a");
    store.deploys.startStep(id, 1, "checkout");
    store.environments.keep("demo", "abc", "bottle==0.13.4");
    store.apps.raiseGeneration("demo", true);

    store.apps.delete("demo");
    store.apps.create("demo");

    expect(store.apps.names()).toEqual(["demo", "shop"]);
    expect(store.instances.get("demo")).toBeUndefined();
    expect(store.deploys.get(id)).toBeUndefined();
    expect(store.deploys.steps(id)).toEqual([]);
    expect(store.environments.packages("demo", "abc")).toBeUndefined();
    expect(store.apps.generation("demo", true)).toBe(0);
    expect(store.deploys.start(newDeploy("demo"))).toMatchObject({ number: 1 });
  });
});

describe("a place", () => {
  it("belongs to one instance at a time", () => {
    const store = withApps("demo", "shop");
    store.instances.place(instance("demo", "www.example.org"));

    expect(() => store.instances.place(instance("shop", "www.example.org"))).toThrow(
      expect.objectContaining({
        code: "PLACE_TAKEN",
        message: "www.example.org/ belongs to demo",
      }),
    );

    expect(store.instances.get("shop")).toBeUndefined();
  });

  const at = (name: string, place: Partial<Place>): Instance => ({
    ...instance(name),
    place: { scheme: "http", host: "example.org", path: "/", port: 0, ...place },
  });

  it.each<[Partial<Place>, Partial<Place>]>([
    [{ path: "/one/" }, { path: "/two/" }],
    [{}, { port: 9000 }],
    [{ path: "/one/" }, { host: "example.net" }],
    [{ port: 9000 }, { port: 9001 }],
  ])("is another one where they tell %j from %j", (one, other) => {
    const store = withApps("demo", "shop");
    store.instances.place(at("demo", one));

    store.instances.place(at("shop", other));

    expect(store.instances.all().map((row) => row.place)).toEqual([
      at("demo", one).place,
      at("shop", other).place,
    ]);
  });

  it.each<[Partial<Place>, Partial<Place>, string]>([
    [{}, { path: "/two/" }, "example.org/two/"],
    [{ path: "/one/" }, {}, "example.org/"],
    [{ port: 9000 }, { host: "example.net", port: 9000 }, "example.net:9000/"],
  ])("runs into another one where one has %j and the other wants %j", (one, other, said) => {
    const store = withApps("demo", "shop");
    store.instances.place(at("demo", one));

    expect(() => store.instances.place(at("shop", other))).toThrow(
      expect.objectContaining({ code: "PLACE_TAKEN", message: `${said} belongs to demo` }),
    );
  });

  it("is taken from the moment at which a preview has a claim to it", () => {
    const store = withApps("demo", "shop");
    store.previews.claim("demo", "new-cart", {
      name: () => "new-cart--demo",
      place: () => at("demo", { path: "/new-cart/" }).place,
    });

    expect(() => store.instances.place(at("shop", { path: "/new-cart/" }))).toThrow(
      "example.org/new-cart/ belongs to new-cart--demo",
    );
    store.previews.forget("new-cart--demo");
    store.instances.place(at("shop", { path: "/new-cart/" }));
  });

  it("can be given up for another, and is then free", () => {
    const store = withApps("demo", "shop");
    store.instances.place(instance("demo", "one.example.org"));
    store.instances.change("demo", { live: 1, degraded: "it did not start" });

    store.instances.place({ ...instance("demo", "two.example.org"), branch: "release" });
    store.instances.place(instance("shop", "one.example.org"));

    expect(store.instances.get("demo")).toEqual({
      name: "demo",
      app: "demo",
      branch: "release",
      place: { scheme: "http", host: "two.example.org", path: "/", port: 0 },
      live: 1,
      settled: null,
      degraded: "it did not start",
    });
  });

  it("is one of several that an instance may have, of which people are told the first", () => {
    const store = withApps("demo", "shop");
    store.instances.place(at("demo", {}));
    const several = [at("demo", { host: "www.example.org" }), at("demo", {})].map(
      ({ place }) => place,
    );

    store.places.set({ name: "demo", app: "demo" }, "held", several);

    expect(store.places.of("demo", "held")).toEqual(several);
    expect(store.instances.get("demo")?.place.host).toBe("www.example.org");
    expect(store.instances.all()).toHaveLength(1);
    expect(() => store.instances.place(at("shop", { path: "/shop/" }))).toThrow("belongs to demo");
    expect(store.places.of("shop", "held")).toEqual([]);
  });

  it("is nobody else's by the database's own word, whoever asks it", () => {
    const path = join(temporaryFolder(), "agent.db");
    const store = open(path);
    for (const name of ["demo", "shop"]) store.apps.create(name);
    store.instances.place(at("demo", { path: "/one/" }));
    const database = new Database(path);
    onTestFinished(() => void database.close());
    const insert = (host: string, place: string, port: number): void =>
      void database
        .prepare("INSERT INTO place VALUES ('shop', 'shop', 'held', 'https', ?, ?, ?)")
        .run([host, place, port]);

    expect(() => insert("example.org", "/one/", 0)).toThrow("the place is taken");
    expect(() => insert("example.org", "/", 0)).toThrow("the place is taken");
    insert("example.org", "/two/", 0);
    store.places.set({ name: "demo", app: "demo" }, "held", [at("demo", { port: 9000 }).place]);
    expect(() => insert("example.net", "/", 9000)).toThrow("the place is taken");
  });

  it("is kept for the branch where the first deploy of its preview is taken back", () => {
    const store = withApps("demo");
    const place = at("new-cart--demo", { path: "/new-cart/" }).place;
    store.previews.claim("demo", "new-cart", { name: () => "new-cart--demo", place: () => place });
    store.instances.place({ name: "new-cart--demo", app: "demo", branch: "new-cart", place });

    store.instances.putBack("new-cart--demo", undefined);

    expect(store.places.of("new-cart--demo", "held")).toEqual([]);
    expect(store.previews.of("demo", "new-cart")?.place).toEqual(place);
    store.previews.forget("new-cart--demo");
    expect(store.places.of("new-cart--demo", "claimed")).toEqual([]);
  });

  it("is where it was, of an instance and of a preview that were there before places had a table", () => {
    const path = join(temporaryFolder(), "agent.db");
    const former = new Database(path);
    former.exec(`${schema[0] ?? ""}; PRAGMA user_version = 1`);
    former.exec(`INSERT INTO app (name, created_at) VALUES ('demo', '');
      INSERT INTO instance (name, app, branch, host, path, port, live, degraded)
        VALUES ('demo', 'demo', 'main', 'www.example.org', '/', 0, 7, 'it did not start');
      INSERT INTO preview (instance, app, branch, host, path, port, pinned)
        VALUES ('new-cart--demo', 'demo', 'new-cart', 'example.org', '/', 9000, 1)`);
    former.close();

    const store = open(path);

    expect(store.instances.all()).toEqual([
      {
        ...instance("demo", "www.example.org"),
        ...{ live: 7, settled: null, degraded: "it did not start" },
      },
    ]);
    expect(store.previews.of("demo", "new-cart")).toEqual({
      ...{ instance: "new-cart--demo", app: "demo", branch: "new-cart", pinned: true },
      place: at("demo", { port: 9000 }).place,
    });
  });

  it("is no app's that does not exist", () => {
    const store = open();

    expect(() => store.instances.place(instance("nosuch"))).toThrow(/FOREIGN KEY/);
  });
});

describe("deploys", () => {
  it("are numbered within their app, and never twice", () => {
    const store = withApps("demo", "shop");

    const made = ["demo", "shop", "demo", "demo"].map((app) => store.deploys.start(newDeploy(app)));

    expect(made.map(({ app, number }) => `${app} ${number}`)).toEqual([
      "demo 1",
      "shop 1",
      "demo 2",
      "demo 3",
    ]);
    expect(new Set(made.map(({ id }) => id)).size).toBe(4);
  });

  it("run what they ran before a deploy had a list of processes", () => {
    const path = join(temporaryFolder(), "agent.db");
    const former = new Database(path);
    former.exec(`${schema.slice(0, 3).join(";")}; PRAGMA user_version = 3`);
    former.exec(`INSERT INTO app (name, created_at) VALUES ('demo', '')`);
    for (const [number, module] of ["shop.wsgi:application", ""].entries())
      former.exec(`INSERT INTO deploy (app, number, instance, reason, account, ref, old_commit, new_commit, subject,
          module, root, requirements, note, state, holder_pid, holder_start, holder_turn, started_at)
        VALUES ('demo', ${number}, 'demo', 'push', 'ada', 'refs/heads/main', '', '', 'Say hello',
          '${module}', 'backend', '[]', 'settled', 'live', 7, 100, 0, '')`);
    former.close();

    expect(open(path).deploys.list("demo", 10)).toMatchObject([
      { number: 1, processes: [] },
      {
        ...{ number: 0, subject: "Say hello", root: "backend", note: "settled", state: "live" },
        ...{ holder, processes: [{ type: "web", kind: "wsgi", module: "shop.wsgi:application" }] },
      },
    ]);
  });

  it("keep what they run, and are told as well where nobody can read that any more", () => {
    const path = join(temporaryFolder(), "agent.db");
    const store = open(path);
    store.apps.create("demo");
    const { id } = store.deploys.start(newDeploy("demo"));
    const processes: Process[] = [{ type: "web", kind: "wsgi", module: "shop:app" }];

    store.deploys.change(id, { processes, root: "backend" });

    expect(store.deploys.get(id)).toMatchObject({ processes, root: "backend" });
    const database = new Database(path);
    onTestFinished(() => void database.close());
    database.exec(`UPDATE deploy SET processes = '[{"type":"web","kind":"nosuch"}]'`);
    expect(store.deploys.get(id)).toMatchObject({ processes: [], root: "backend" });
  });

  it("keep who, what and why to the letter, and begin as preparing", () => {
    const store = withApps("demo");
    const given = newDeploy("demo", "b", { account: `'"; DROP TABLE app; --`, reason: "rollback" });

    const deploy = store.deploys.start(given);

    expect(deploy).toEqual({
      ...given,
      id: deploy.id,
      number: 1,
      state: "preparing",
      subject: "",
      processes: [],
      root: "",
      requirements: "[]",
      environment: null,
      strategy: null,
      error: null,
      note: null,
      liveAt: null,
      milliseconds: null,
      startedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
    });
    expect(store.deploys.get(deploy.id)).toEqual(deploy);
    expect(store.deploys.byNumber("demo", 1)).toEqual(deploy);
    expect(store.deploys.byNumber("demo", 2)).toBeUndefined();
    expect(store.apps.names()).toEqual(["demo"]);
  });

  it("are listed the newest first, and no more than are wanted", () => {
    const store = withApps("demo", "shop");
    for (const app of ["demo", "demo", "shop", "demo"]) store.deploys.start(newDeploy(app));

    expect(store.deploys.list("demo", 2).map(({ number }) => number)).toEqual([3, 2]);
  });

  it("change only in what is changed", () => {
    const store = withApps("demo");
    const deploy = store.deploys.start(newDeploy("demo"));

    store.deploys.change(deploy.id, {
      state: "live",
      liveAt: "2026-11-23T21:55:00.000Z",
      milliseconds: 7,
    });
    store.deploys.change(deploy.id, { note: "settled", environment: "abc" });

    expect(store.deploys.get(deploy.id)).toEqual({
      ...deploy,
      state: "live",
      liveAt: "2026-11-23T21:55:00.000Z",
      milliseconds: 7,
      note: "settled",
      environment: "abc",
    });
  });

  it("hold their steps in order, with whole milliseconds", () => {
    const store = withApps("demo");
    const { id } = store.deploys.start(newDeploy("demo"));

    store.deploys.startStep(id, 1, "checkout");
    store.deploys.startStep(id, 2, "environment");
    store.deploys.endStep(id, 1, { detail: "checked out", milliseconds: 12.6 });

    expect(store.deploys.steps(id)).toEqual([
      { name: "checkout", detail: "checked out", milliseconds: 13 },
      { name: "environment", detail: null, milliseconds: null },
    ]);
  });

  it("that are neither live nor refused can be found, and those of one holder alone", () => {
    const store = withApps("demo", "shop", "blog");
    const states = ["preparing", "proven", "switched", "live", "refused"] as const;
    for (const state of states)
      store.deploys.change(store.deploys.start(newDeploy("demo", "a")).id, { state });
    store.deploys.start(newDeploy("shop", "a", { holder: { ...holder, turn: 1 } }));
    store.deploys.start(newDeploy("blog", "a", { holder: { ...holder, startTime: 101 } }));

    expect(store.deploys.unfinished().map(({ app, state }) => `${app} ${state}`)).toEqual([
      "demo preparing",
      "demo proven",
      "demo switched",
      "shop preparing",
      "blog preparing",
    ]);
    expect(store.deploys.unfinishedOf(holder).map(({ app }) => app)).toEqual([
      "demo",
      "demo",
      "demo",
    ]);
  });

  it("are called after variables where their record says settings, as these were called once", () => {
    const path = join(temporaryFolder(), "agent.db");
    const former = new Database(path);
    former.exec(`${schema.slice(0, 3).join(";")}; PRAGMA user_version = 3`);
    former.exec(`INSERT INTO app (name, created_at) VALUES ('demo', '');
      INSERT INTO deploy (id, app, number, instance, reason, account, ref, old_commit, new_commit,
        subject, module, requirements, state, holder_pid, holder_start, holder_turn, started_at)
        VALUES (1, 'demo', 1, 'demo', 'settings', 'ada', '', '', '', '', '', '', 'live', 1, 1, 1, '');
      INSERT INTO step (deploy, position, name) VALUES (1, 1, 'environment'), (1, 2, 'settings')`);
    former.close();

    const store = open(path);

    expect(store.deploys.get(1)?.reason).toBe("variables");
    expect(store.deploys.steps(1).map(({ name }) => name)).toEqual(["environment", "variables"]);
  });
});

describe("the deploy that waits for its ref to move", () => {
  it("is the one of this holder, of this ref, that is proven and not switched", () => {
    const store = withApps("demo");
    const other = "refs/heads/shop";
    const [mine, , , switched] = [
      newDeploy("demo"),
      newDeploy("demo", "a", { holder: { ...holder, turn: 1 } }),
      newDeploy("demo", "a", { ref: "refs/heads/cart" }),
      newDeploy("demo", "a", { ref: other }),
    ].map((deploy) => store.deploys.start(deploy).id);
    expect(store.deploys.provenOf(holder, "refs/heads/main")).toBeUndefined();

    store.deploys.change(mine!, { state: "proven" });
    store.deploys.change(switched!, { state: "switched" });

    expect(store.deploys.provenOf(holder, "refs/heads/main")?.id).toBe(mine);
    expect(store.deploys.provenOf(holder, other)).toBeUndefined();
    expect(store.deploys.provenOf({ ...holder, turn: 1 }, "refs/heads/main")).toBeUndefined();
  });
});

describe("what is kept of a deploy", () => {
  const endless = "€".repeat(1024 * 1024);

  function sizeOf(path: string, id: number): number {
    const database = new Database(path);
    onTestFinished(() => void database.close());
    const rows = [
      ...(database.prepare("SELECT * FROM deploy WHERE id = ?").all([id]) as object[]),
      ...(database.prepare("SELECT * FROM step WHERE deploy = ?").all([id]) as object[]),
    ];
    return Buffer.byteLength(JSON.stringify(rows));
  }

  it("is at most 64 KiB and a hash, whatever its pusher made", () => {
    const path = join(temporaryFolder(), "agent.db");
    const store = open(path);
    store.apps.create("demo");
    const { id } = store.deploys.start(
      newDeploy("demo", "a", { ref: `refs/heads/${endless}`, account: endless }),
    );
    store.deploys.change(id, { subject: endless, error: endless, note: endless });
    store.requirements.keep(id, [{ path: "requirements.txt", text: endless }]);
    for (let position = 1; position <= 10; position += 1) {
      store.deploys.startStep(id, position, "environment");
      store.deploys.endStep(id, position, { detail: endless, milliseconds: 1 });
    }

    expect(sizeOf(path, id)).toBeLessThan(64 * 1024);
    expect(store.deploys.get(id)?.error).toMatch(/^€+…€+$/);
    expect(store.requirements.of(store.deploys.get(id)!)).toMatchObject([{ text: endless }]);
  });

  it("has its requirements only as long as it is on the air or on its way there", () => {
    const store = withApps("demo");
    store.instances.place(instance("demo"));
    const deploys = ["a", "b", "c"].map((commit) => {
      const { id } = store.deploys.start(newDeploy("demo", commit));
      store.requirements.keep(id, [{ path: "requirements.txt", text: commit }]);
      const deploy = store.deploys.get(id)!;
      if (commit !== "c")
        store.recordLive(deploy, { liveAt: "2026-11-23", milliseconds: 1, settled: true });
      return deploy;
    });

    const kept = deploys.map((deploy) => store.requirements.of(deploy).map(({ text }) => text));
    expect(kept).toEqual([[], ["b"], ["c"]]);
  });

  it("is the same for an environment's packages", () => {
    const store = withApps("demo");

    store.environments.keep("demo", "abc", "a==1\n".repeat(1024 * 1024));

    expect(store.environments.packages("demo", "abc")).toBe("");
  });
});

describe("what is kept as JSON", () => {
  const coverage = {
    ...{ version: 4 as const, files: ["requirements.txt"], local: [], reads: [], outside: [] },
    ...{ whole: false, forms: [], problems: [] },
  };
  const origin = { hash: "abc", ground: "uv", lines: ["flask"] };
  const place = { scheme: "http" as const, host: "www.example.org", path: "/", port: 0 };

  /** A deploy with all of it; `damage` writes into a column itself, as somebody may. */
  function kept() {
    const path = join(temporaryFolder(), "agent.db");
    const store = open(path);
    store.apps.create("demo");
    const { id } = store.deploys.start(newDeploy("demo"));
    store.requirements.keep(id, [{ path: "requirements.txt", text: "flask\n" }]);
    const deploy = store.deploys.get(id)!;
    store.requirements.keepCoverage(deploy, coverage);
    store.environments.keep("demo", "abc", "flask==3.1.2", origin);
    store.deploys.keepFormerPlace(id, place);
    const damage = (table: string, column: string, text: string): void => {
      const database = new Database(path);
      database.prepare(`UPDATE ${table} SET ${column} = ?`).run([text]);
      database.close();
    };
    return { store, deploy, damage };
  }

  it("is found again as it was kept", () => {
    const { store, deploy } = kept();

    expect(store.requirements.of(deploy)).toEqual([{ path: "requirements.txt", text: "flask\n" }]);
    expect(store.requirements.coverage(deploy)).toEqual(coverage);
    expect(store.environments.origin("demo", "abc")).toEqual(origin);
    expect(store.deploys.formerPlace(deploy.id)).toEqual(place);
  });

  it("is nothing where nothing was kept, and a place that was none is told from that", () => {
    const store = withApps("demo");
    const [one, other] = ["a", "b"].map((commit) => store.deploys.start(newDeploy("demo", commit)));
    store.deploys.keepFormerPlace(other!.id, null);
    store.requirements.keep(other!.id, []);
    store.environments.keep("demo", "abc", "flask==3.1.2");

    expect(store.requirements.of(one!)).toEqual([]);
    expect(store.requirements.coverage(one!)).toBeUndefined();
    expect(store.requirements.coverage(store.deploys.get(other!.id)!)).toBeUndefined();
    expect(store.environments.origin("demo", "abc")).toBeUndefined();
    expect(store.environments.origin("demo", "nosuch")).toBeUndefined();
    expect(store.deploys.formerPlace(one!.id)).toBeUndefined();
    expect(store.deploys.formerPlace(other!.id)).toBeNull();
  });

  // Texts that are no JSON, that end too early, and JSON of another shape.
  const damages = ["", "no", '{"host":', "7", '"text"', "{}", "[7]", '{"host":"a","path":7}'];

  it.each(damages)("and can be found out again is as if it had not been kept: %s", (text) => {
    const { store, deploy, damage } = kept();
    damage("requirements", "coverage", text);
    damage("environment", "origin", text);

    expect(store.requirements.coverage(deploy)).toBeUndefined();
    expect(store.environments.origin("demo", "abc")).toBeUndefined();
  });

  it.each(damages)("and can be had nowhere else is not taken for another one: %s", (text) => {
    const { store, deploy, damage } = kept();
    damage("requirements", "files", text);
    damage("deploy", "former_place", text);

    expect(() => store.requirements.of(deploy)).toThrow("in the agent's database are no files");
    expect(() => store.deploys.formerPlace(deploy.id)).toThrow(
      `the former place of deploy ${deploy.id} in the agent's database is no place`,
    );
    // The deploy itself is listed all the same.
    expect(store.deploys.list("demo", 1)).toEqual([deploy]);
  });
});

describe("releases", () => {
  it("are found by the start of their id, by what was before, and no more than are wanted", () => {
    const store = withApps("demo");
    for (const commit of ["a", "b", "c", "a"]) goLive(store, "demo", commit);

    expect(store.deploys.commitBefore("demo")).toBe("c".repeat(40));
    expect(store.deploys.commitsLike("demo", "bbbb")).toEqual(["b".repeat(40)]);
    expect(store.deploys.commitsLike("demo", "dddd")).toEqual([]);
    expect(store.deploys.releaseOf("demo", "a".repeat(40))?.number).toBe(4);
    const [first] = store.deploys.releases("demo", 1);
    expect(store.deploys.releases("demo", 1, first!.id).map(({ number }) => number)).toEqual([3]);
  });

  it("are what was on the air, each commit once, the one that was there last first", () => {
    const store = withApps("demo", "shop");
    for (const commit of ["a", "b", "c", "a"]) goLive(store, "demo", commit);
    store.deploys.change(store.deploys.start(newDeploy("demo", "d")).id, { state: "refused" });
    goLive(store, "shop", "e");

    expect(
      store.deploys.releases("demo").map(({ subject, number }) => `${subject}, ${number}`),
    ).toEqual(["Commit a, 4", "Commit c, 3", "Commit b, 2"]);
  });

  it("are not lost by a later deploy of the same commit that was refused", () => {
    const store = withApps("demo");
    goLive(store, "demo", "a");
    store.deploys.change(store.deploys.start(newDeploy("demo", "a")).id, { state: "refused" });

    expect(store.deploys.releases("demo").map(({ number }) => number)).toEqual([1]);
  });
});

describe("environments", () => {
  it("keep the packages that they were first built with", () => {
    const store = withApps("demo", "shop");

    store.environments.keep("demo", "abc", "bottle==0.13.4");
    store.environments.keep("demo", "abc", "bottle==0.14");

    expect(store.environments.packages("demo", "abc")).toBe("bottle==0.13.4");
    expect(store.environments.packages("shop", "abc")).toBeUndefined();
  });
});

describe("the database", () => {
  it("is found again as it was left", () => {
    const path = join(temporaryFolder(), "agent.db");
    const before = new AgentStore(path);
    before.apps.create("demo");
    before.close();

    expect(open(path).apps.names()).toEqual(["demo"]);
  });

  it("of a newer reeve is refused, and left as it is", () => {
    const path = join(temporaryFolder(), "agent.db");
    new AgentStore(path).close();
    const newer = new Database(path);
    newer.pragma("user_version = 99");
    newer.close();

    expect(() => new AgentStore(path)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));

    const after = new Database(path);
    onTestFinished(() => void after.close());
    expect(after.prepare("PRAGMA user_version").get()).toMatchObject({ user_version: 99 });
  });
});
