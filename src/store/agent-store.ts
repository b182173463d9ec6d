import { UserError } from "../errors.ts";
import { isSamePlace, type Instance, type Place } from "../app/instance.ts";
import { isPreviewName } from "../app/names.ts";
import type { Identity } from "../host/host.ts";
import type { ProcessId } from "../host/processes.ts";
import { createHash } from "node:crypto";
import { now, shortened, Sqlite, text, type Row } from "./sqlite.ts";

/** The agent's memory: apps, instances, deploys with their steps, environments. */
const migrations = [
  `
  CREATE TABLE app (
    name TEXT PRIMARY KEY,
    created_at TEXT NOT NULL,
    generation INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE instance (
    name TEXT PRIMARY KEY,
    app TEXT NOT NULL REFERENCES app(name) ON DELETE CASCADE,
    branch TEXT NOT NULL,
    host TEXT NOT NULL,
    path TEXT NOT NULL,
    live INTEGER,
    settled INTEGER,
    degraded TEXT,
    gone TEXT NOT NULL DEFAULT '[]',
    UNIQUE (host, path)
  ) STRICT;
  CREATE TABLE deploy (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    app TEXT NOT NULL REFERENCES app(name) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    instance TEXT NOT NULL,
    reason TEXT NOT NULL,
    account TEXT NOT NULL,
    ref TEXT NOT NULL,
    old_commit TEXT NOT NULL,
    new_commit TEXT NOT NULL,
    subject TEXT NOT NULL,
    module TEXT NOT NULL,
    environment TEXT,
    requirements TEXT NOT NULL,
    state TEXT NOT NULL,
    error TEXT,
    note TEXT,
    holder_pid INTEGER NOT NULL,
    holder_start INTEGER NOT NULL,
    holder_turn INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    live_at TEXT,
    milliseconds INTEGER,
    UNIQUE (app, number)
  ) STRICT;
  CREATE INDEX deploy_of_instance ON deploy (instance, id);
  CREATE TABLE step (
    deploy INTEGER NOT NULL REFERENCES deploy(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    detail TEXT,
    milliseconds INTEGER,
    PRIMARY KEY (deploy, position)
  ) STRICT;
  CREATE TABLE environment (
    app TEXT NOT NULL REFERENCES app(name) ON DELETE CASCADE,
    hash TEXT NOT NULL,
    packages TEXT NOT NULL,
    built_at TEXT NOT NULL,
    PRIMARY KEY (app, hash)
  ) STRICT;
  `,
  // What a deploy's place replaced, as JSON; NULL until the deploy has touched it.
  `ALTER TABLE deploy ADD COLUMN former_place TEXT;`,
  // Set from the moment at which somebody wants the app removed.
  `ALTER TABLE app ADD COLUMN destroyed_at TEXT;`,
  `
  CREATE TABLE preview (
    instance TEXT PRIMARY KEY,
    app TEXT NOT NULL REFERENCES app(name) ON DELETE CASCADE,
    branch TEXT NOT NULL,
    pinned INTEGER NOT NULL DEFAULT 0,
    UNIQUE (app, branch)
  ) STRICT;
  `,
  // Those that are gone stay on record: no number is given twice.
  `
  CREATE TABLE runner (
    uid INTEGER PRIMARY KEY,
    gid INTEGER NOT NULL,
    name TEXT NOT NULL,
    app TEXT NOT NULL,
    of_previews INTEGER NOT NULL,
    removed_at TEXT
  ) STRICT;
  CREATE UNIQUE INDEX runner_of_app ON runner (app, of_previews) WHERE removed_at IS NULL;
  `,
  // A place has a port; what a preview claims is its name and its place.
  `
  CREATE TABLE placed (
    name TEXT PRIMARY KEY,
    app TEXT NOT NULL REFERENCES app(name) ON DELETE CASCADE,
    branch TEXT NOT NULL,
    host TEXT NOT NULL,
    path TEXT NOT NULL,
    port INTEGER NOT NULL DEFAULT 0,
    live INTEGER,
    settled INTEGER,
    degraded TEXT,
    gone TEXT NOT NULL DEFAULT '[]',
    UNIQUE (host, path, port)
  ) STRICT;
  INSERT INTO placed (name, app, branch, host, path, live, settled, degraded, gone)
    SELECT name, app, branch, host, path, live, settled, degraded, gone FROM instance;
  DROP TABLE instance;
  ALTER TABLE placed RENAME TO instance;
  ALTER TABLE preview ADD COLUMN host TEXT NOT NULL DEFAULT '';
  ALTER TABLE preview ADD COLUMN path TEXT NOT NULL DEFAULT '/';
  ALTER TABLE preview ADD COLUMN port INTEGER NOT NULL DEFAULT 0;
  UPDATE deploy SET former_place = json_set(former_place, '$.port', 0) WHERE former_place LIKE '{%';
  UPDATE preview SET host = coalesce((SELECT host FROM instance WHERE name = preview.instance), '');
  `,
  // A rebuild of a preview is for all previews, and nothing of production's.
  `ALTER TABLE app ADD COLUMN preview_generation INTEGER NOT NULL DEFAULT 0;`,
  // Requirements are what a pusher makes them, and a deploy names them only; those that somebody still needs are
  // kept once. What is asked again and again is found without looking through the history.
  `
  CREATE TABLE requirements (
    hash TEXT PRIMARY KEY,
    files TEXT NOT NULL
  ) STRICT;
  INSERT INTO requirements (hash, files)
    SELECT 'deploy ' || id, requirements FROM deploy
    WHERE state IN ('preparing', 'proven', 'switched') OR id IN (SELECT live FROM instance);
  UPDATE deploy SET
    requirements = CASE WHEN 'deploy ' || id IN (SELECT hash FROM requirements) THEN 'deploy ' || id ELSE '' END,
    error = substr(error, 1, 2000),
    note = substr(note, 1, 300);
  UPDATE step SET detail = substr(detail, 1, 120);
  UPDATE environment SET packages = substr(packages, 1, 65536);
  CREATE INDEX deploy_unfinished ON deploy (id) WHERE state IN ('preparing', 'proven', 'switched');
  CREATE INDEX deploy_of_holder ON deploy (holder_pid, holder_start, holder_turn, id);
  CREATE INDEX deploy_on_air ON deploy (instance, new_commit, id) WHERE live_at IS NOT NULL;
  CREATE INDEX deploy_removed ON deploy (instance, id) WHERE state = 'removed';
  `,
  // Who builds environments, each at its place in the pool; as with the apps' users, no number is given twice.
  `
  CREATE TABLE builder (
    uid INTEGER PRIMARY KEY,
    gid INTEGER NOT NULL,
    name TEXT NOT NULL,
    place INTEGER NOT NULL,
    removed_at TEXT
  ) STRICT;
  CREATE UNIQUE INDEX builder_at_place ON builder (place) WHERE removed_at IS NULL;
  `,
  // A vassal that comes over starts anew, so that nobody need remember which settings it may still hold.
  `ALTER TABLE instance DROP COLUMN gone;`,
  // What the requirements reach in the tree, as JSON; it goes with them.
  `ALTER TABLE requirements ADD COLUMN coverage TEXT NOT NULL DEFAULT '';`,
  // The folder that a release runs in, as the option was at its deploy.
  `ALTER TABLE deploy ADD COLUMN root TEXT NOT NULL DEFAULT '';`,
  // What an environment was built from, as JSON: another one may begin with it.
  `ALTER TABLE environment ADD COLUMN origin TEXT NOT NULL DEFAULT '';`,
];

/** Characters of what a deploy says that are kept of it; its log has more. */
const longest: Record<string, number> = {
  error: 2000,
  note: 300,
  subject: 500,
  module: 200,
  degraded: 1024,
};
const longestDetail = 120;
const longestRequest = 500;
/** Characters of a list of packages: one that is longer is no list that a rebuild could be held to. */
const longestPackages = 64 * 1024;
/** Rows of a list, where nobody says how many. */
const mostListed = 100;

/**
 * preparing → proven → switched → live (or removed, with its branch), or refused from any of the first three.
 * `proven`: healthy, waiting for the ref; `switched`: carries the traffic, the ref is moving.
 */
export type DeployState = "preparing" | "proven" | "switched" | "live" | "removed" | "refused";
export type DeployReason = "push" | "rollback" | "redeploy" | "settings" | "rebuild" | "removal";

export interface NewDeploy {
  app: string;
  instance: string;
  reason: DeployReason;
  account: string;
  ref: string;
  oldCommit: string;
  newCommit: string;
  holder: Holder;
}

/** Whose turn it is: the process that carries the push, or one command of those that the front carries. */
export interface Holder extends ProcessId {
  turn: number;
}

export interface Deploy extends NewDeploy {
  id: number;
  /** Counts within the app, and is what people see. */
  number: number;
  /** Empty until the front has read them. */
  subject: string;
  /** What the commit asks for. */
  module: string;
  /** The folder of its tree that it runs in; empty: the whole tree. */
  root: string;
  /** The hash of what `requirements` of the store has. */
  requirements: string;
  environment: string | null;
  /** The place that the instance had before, as JSON; null until this deploy has touched it. */
  formerPlace: string | null;
  state: DeployState;
  error: string | null;
  /** What happened after it was live: settled, degraded, superseded. */
  note: string | null;
  startedAt: string;
  liveAt: string | null;
  milliseconds: number | null;
}

export interface Step {
  name: string;
  detail: string | null;
  milliseconds: number | null;
}

export interface InstanceRow extends Instance {
  live: number | null;
  settled: number | null;
  degraded: string | null;
}

/** A branch's claim to its name and its place; it comes before the instance of that name, and goes after it. */
export interface Preview {
  instance: string;
  app: string;
  branch: string;
  place: Place;
  /** Neither age nor number removes it. */
  pinned: boolean;
}

interface PreviewChoice {
  name: (isTaken: (name: string) => boolean) => string;
  place: (name: string, current: Place | undefined, isFree: (place: Place) => boolean) => Place;
}

type InstanceChange = Partial<Pick<InstanceRow, "live" | "settled" | "degraded">>;
type DeployChange = Partial<
  Pick<
    Deploy,
    | "state"
    | "error"
    | "note"
    | "subject"
    | "module"
    | "root"
    | "environment"
    | "formerPlace"
    | "liveAt"
    | "milliseconds"
  >
>;

const instanceColumns = {
  live: "live",
  settled: "settled",
  degraded: "degraded",
} as const;
const deployColumns = {
  state: "state",
  error: "error",
  note: "note",
  subject: "subject",
  module: "module",
  root: "root",
  environment: "environment",
  formerPlace: "former_place",
  liveAt: "live_at",
  milliseconds: "milliseconds",
} as const;

// A list names its columns: one that is added later and is large is not in it.
const ofInstance = "name, app, branch, host, path, port, live, settled, degraded";
const ofPreview = "instance, app, branch, host, path, port, pinned";
const ofDeploy = `id, app, number, instance, reason, account, ref, old_commit, new_commit, subject, module, root,
  requirements, environment, former_place, state, error, note, holder_pid, holder_start, holder_turn, started_at,
  live_at, milliseconds`;
const isUnfinished = "state IN ('preparing', 'proven', 'switched')";
const isOfHolder = "holder_pid = ? AND holder_start = ? AND holder_turn = ?";
const lastRemoval = `(SELECT coalesce(max(removal.id), 0) FROM deploy AS removal
  WHERE removal.instance = ?1 AND removal.state = 'removed')`;

function valuesOf({ pid, startTime, turn }: Holder): number[] {
  return [pid, startTime, turn];
}

export class AgentStore {
  readonly #database: Sqlite;

  constructor(path: string) {
    this.#database = new Sqlite(path, "agent", migrations);
  }

  close(): void {
    this.#database.close();
  }

  createApp(name: string): void {
    this.#run(
      "INSERT INTO app (name, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
      name,
      now(),
    );
  }

  hasApp(name: string): boolean {
    return this.#get("SELECT name FROM app WHERE name = ?", name) !== undefined;
  }

  /** From now on the app is on its way out, whatever comes between. */
  markDestroyed(name: string): void {
    this.#run("UPDATE app SET destroyed_at = ? WHERE name = ?", now(), name);
  }

  isDestroyed(name: string): boolean {
    return this.destroyedApps().includes(name);
  }

  destroyedApps(): string[] {
    return this.#all("SELECT name FROM app WHERE destroyed_at IS NOT NULL").map((row) =>
      text(row["name"]),
    );
  }

  deleteApp(name: string): void {
    this.#run("DELETE FROM app WHERE name = ?", name);
  }

  apps(): string[] {
    return this.#all("SELECT name FROM app ORDER BY name").map((row) => text(row["name"]));
  }

  /** How often an environment of the app's was rebuilt; previews have their own rebuilds on top. */
  generation(app: string, ofPreviews: boolean): number {
    const row = this.#get("SELECT generation, preview_generation FROM app WHERE name = ?", app);
    const own = ofPreviews ? Number(row?.["preview_generation"] ?? 0) : 0;
    return Number(row?.["generation"] ?? 0) + own;
  }

  raiseGeneration(app: string, ofPreviews: boolean): void {
    const column = ofPreviews ? "preview_generation" : "generation";
    this.#run(`UPDATE app SET ${column} = ${column} + 1 WHERE name = ?`, app);
  }

  /** A place belongs to one instance at a time: `PLACE_TAKEN`. */
  expectPlaceFree({ name, place }: Pick<Instance, "name" | "place">): void {
    const holder = this.#holderOf(place, name);
    if (holder === undefined) return;
    const { host, path, port } = place;
    const said = `${host}${port === 0 ? "" : `:${port}`}${path}`;
    throw new UserError("PLACE_TAKEN", `${said} belongs to ${holder}`);
  }

  /**
   * Another instance, or another preview's claim, that the place belongs to or runs into: a whole host and a
   * path of it cannot be two instances', and a port of its own is one instance's at every host.
   */
  #holderOf({ host, path, port }: Place, name: string): string | undefined {
    const overlaps = `port = ?1 AND (port <> 0 OR (host = ?2 AND (path = ?3 OR path = '/' OR ?3 = '/')))`;
    const holder = this.#get(
      `SELECT name FROM instance WHERE ${overlaps} AND name <> ?4
       UNION SELECT instance FROM preview WHERE ${overlaps} AND instance <> ?4`,
      port,
      host,
      path,
      name,
    );
    return holder && text(holder["name"]);
  }

  /** Writes the instance down, or gives it its new place: `PLACE_TAKEN`. */
  placeInstance(instance: Instance): void {
    this.expectPlaceFree(instance);
    const { name, app, branch, place } = instance;
    this.#run(
      `INSERT INTO instance (name, app, branch, host, path, port) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE
         SET branch = excluded.branch, host = excluded.host, path = excluded.path, port = excluded.port`,
      name,
      app,
      branch,
      place.host,
      place.path,
      place.port,
    );
  }

  /** Puts back what `placeInstance` changed. */
  replaceInstance(name: string, former: Instance | undefined): void {
    if (former) this.placeInstance(former);
    else this.#run("DELETE FROM instance WHERE name = ?", name);
  }

  instance(name: string): InstanceRow | undefined {
    const row = this.#get(`SELECT ${ofInstance} FROM instance WHERE name = ?`, name);
    return row && toInstance(row);
  }

  instances(): InstanceRow[] {
    return this.#all(`SELECT ${ofInstance} FROM instance ORDER BY name`).map(toInstance);
  }

  changeInstance(name: string, change: InstanceChange): void {
    this.#change("instance", instanceColumns, change, ["name", name]);
  }

  /**
   * The name and the place of a branch's preview: those that it has, or those that `choose` finds among what
   * is free. Looked up and written down in one go, so that two branches never get the same.
   */
  claimPreview(app: string, branch: string, choose: PreviewChoice): Preview {
    const claimed = this.preview(app, branch);
    const instance = claimed?.instance ?? choose.name((name) => this.#isNameTaken(name));
    const isFree = (offered: Place): boolean => this.#holderOf(offered, instance) === undefined;
    const place = choose.place(instance, claimed?.place, isFree);
    if (claimed && isSamePlace(claimed.place, place)) return claimed;
    this.#run(
      `INSERT INTO preview (instance, app, branch, host, path, port) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (instance) DO UPDATE SET host = excluded.host, path = excluded.path, port = excluded.port`,
      instance,
      app,
      branch,
      place.host,
      place.path,
      place.port,
    );
    return { pinned: false, ...claimed, instance, app, branch, place };
  }

  #isNameTaken(name: string): boolean {
    return (
      this.#get("SELECT instance FROM preview WHERE instance = ?", name) !== undefined ||
      this.instance(name) !== undefined
    );
  }

  preview(app: string, branch: string): Preview | undefined {
    const row = this.#get(
      `SELECT ${ofPreview} FROM preview WHERE app = ? AND branch = ?`,
      app,
      branch,
    );
    return row && toPreview(row);
  }

  previews(): Preview[] {
    return this.#all(`SELECT ${ofPreview} FROM preview ORDER BY instance`).map(toPreview);
  }

  pinPreview(instance: string, pinned: boolean): void {
    this.#run("UPDATE preview SET pinned = ? WHERE instance = ?", Number(pinned), instance);
  }

  /** The name is free again. */
  forgetPreview(instance: string): void {
    this.#run("DELETE FROM preview WHERE instance = ?", instance);
  }

  /** The system user that the app runs as, or its previews. */
  runner(app: string, ofPreviews: boolean): Identity | undefined {
    return identityOf(
      this.#get(
        "SELECT name, uid, gid FROM runner WHERE app = ? AND of_previews = ? AND removed_at IS NULL",
        app,
        Number(ofPreviews),
      ),
    );
  }

  keepRunner({ name, uid, gid }: Identity, app: string, ofPreviews: boolean): void {
    this.#run(
      "INSERT INTO runner (uid, gid, name, app, of_previews) VALUES (?, ?, ?, ?, ?)",
      uid,
      gid,
      name,
      app,
      Number(ofPreviews),
    );
  }

  /** The user is gone; its number is nobody's for ever. */
  retireRunner({ uid }: Identity): void {
    this.#run("UPDATE runner SET removed_at = ? WHERE uid = ?", now(), uid);
  }

  /** The user is gone, and nothing ever ran as it: its number may be somebody's again. */
  forgetRunner({ uid }: Identity): void {
    this.#run("DELETE FROM runner WHERE uid = ?", uid);
  }

  /** The system user that builds, at this place of the pool. */
  builder(place: number): Identity | undefined {
    return identityOf(
      this.#get("SELECT name, uid, gid FROM builder WHERE place = ? AND removed_at IS NULL", place),
    );
  }

  keepBuilder({ name, uid, gid }: Identity, place: number): void {
    this.#run(
      "INSERT INTO builder (uid, gid, name, place) VALUES (?, ?, ?, ?)",
      uid,
      gid,
      name,
      place,
    );
  }

  retireBuilder({ uid }: Identity): void {
    this.#run("UPDATE builder SET removed_at = ? WHERE uid = ?", now(), uid);
  }

  /** The largest number that any system user of this server's has had, or 0. */
  lastUserNumber(): number {
    const all = "SELECT uid FROM runner UNION ALL SELECT uid FROM builder";
    return Number(this.#get(`SELECT max(uid) AS last FROM (${all})`)?.["last"] ?? 0);
  }

  startDeploy(deploy: NewDeploy): Deploy {
    const { holder } = deploy;
    const result = this.#run(
      `INSERT INTO deploy (app, number, instance, reason, account, ref, old_commit, new_commit, subject,
         module, requirements, state, holder_pid, holder_start, holder_turn, started_at)
       VALUES (?, (SELECT coalesce(max(number), 0) + 1 FROM deploy WHERE app = ?), ?, ?, ?, ?, ?, ?, '', '', '[]', 'preparing', ?, ?, ?, ?)`,
      deploy.app,
      deploy.app,
      deploy.instance,
      deploy.reason,
      shortened(deploy.account, longestRequest),
      shortened(deploy.ref, longestRequest),
      deploy.oldCommit,
      deploy.newCommit,
      holder.pid,
      holder.startTime,
      holder.turn,
      now(),
    );
    return this.deploy(Number(result.lastInsertRowid)) as Deploy;
  }

  deploy(id: number): Deploy | undefined {
    const row = this.#get(`SELECT ${ofDeploy} FROM deploy WHERE id = ?`, id);
    return row && toDeploy(row);
  }

  deployByNumber(app: string, number: number): Deploy | undefined {
    const row = this.#get(
      `SELECT ${ofDeploy} FROM deploy WHERE app = ? AND number = ?`,
      app,
      number,
    );
    return row && toDeploy(row);
  }

  /** The newest first; `before`: those of smaller numbers. */
  deploys(app: string, limit: number, before = Number.MAX_SAFE_INTEGER): Deploy[] {
    return this.#all(
      `SELECT ${ofDeploy} FROM deploy WHERE app = ? AND number < ? ORDER BY number DESC LIMIT ?`,
      app,
      before,
      limit,
    ).map(toDeploy);
  }

  /** Deploys that are neither live nor refused: what a crash may have left in the air. */
  unfinishedDeploys(): Deploy[] {
    return this.#all(`SELECT ${ofDeploy} FROM deploy WHERE ${isUnfinished} ORDER BY id`).map(
      toDeploy,
    );
  }

  /**
   * Deploys that were on the air, each commit once by its last time there, the newest first; `before`: those of
   * smaller ids. What was there before a removal went with it.
   */
  releases(instance: string, limit = mostListed, before = Number.MAX_SAFE_INTEGER): Deploy[] {
    return this.#all(
      `SELECT ${ofDeploy} FROM deploy
       WHERE instance = ?1 AND live_at IS NOT NULL AND id > ${lastRemoval} AND id < ?3 AND NOT EXISTS
         (SELECT 1 FROM deploy AS later WHERE later.instance = ?1 AND later.live_at IS NOT NULL
            AND later.new_commit = deploy.new_commit AND later.id > deploy.id)
       ORDER BY id DESC LIMIT ?2`,
      instance,
      limit,
      before,
    ).map(toDeploy);
  }

  /** The deploy by which a commit was on the air of an instance last, and has not been removed since. */
  releaseOf(instance: string, commit: string): Deploy | undefined {
    const row = this.#get(
      `SELECT ${ofDeploy} FROM deploy
       WHERE instance = ?1 AND new_commit = ?2 AND live_at IS NOT NULL AND id > ${lastRemoval}
       ORDER BY id DESC LIMIT 1`,
      instance,
      commit,
    );
    return row && toDeploy(row);
  }

  /** Commits that were on the air and whose id begins so, two at most: more than one is one too many. */
  commitsLike(instance: string, start: string): string[] {
    return this.#all(
      `SELECT DISTINCT new_commit FROM deploy
       WHERE instance = ?1 AND new_commit >= ?2 AND new_commit < ?2 || 'g' AND live_at IS NOT NULL
         AND id > ${lastRemoval}
       LIMIT 2`,
      instance,
      start,
    ).map((row) => text(row["new_commit"]));
  }

  /** What was on the air before the live commit was last pushed, so that each rollback goes further back. */
  commitBefore(instance: string): string | undefined {
    const onAir = `instance = ?1 AND live_at IS NOT NULL AND id > ${lastRemoval}`;
    const row = this.#get(
      `WITH current (new_commit) AS
         (SELECT new_commit FROM deploy WHERE ${onAir} ORDER BY id DESC LIMIT 1)
       SELECT new_commit FROM deploy WHERE ${onAir} AND new_commit <> (SELECT new_commit FROM current)
         AND id < coalesce((SELECT max(id) FROM deploy WHERE ${onAir} AND reason = 'push'
           AND new_commit = (SELECT new_commit FROM current)), 9e18)
       ORDER BY id DESC LIMIT 1`,
      instance,
    );
    return row && text(row["new_commit"]);
  }

  /** The newest deploy that this holder began of a ref, however it ended. */
  deployOf(holder: Holder, ref: string): Deploy | undefined {
    const row = this.#get(
      `SELECT ${ofDeploy} FROM deploy WHERE ${isOfHolder} AND ref = ? ORDER BY id DESC LIMIT 1`,
      ...valuesOf(holder),
      shortened(ref, longestRequest),
    );
    return row && toDeploy(row);
  }

  /** Deploys of this holder that are neither live nor refused. */
  unfinishedOf(holder: Holder): Deploy[] {
    return this.#all(
      `SELECT ${ofDeploy} FROM deploy WHERE ${isUnfinished} AND ${isOfHolder} ORDER BY id`,
      ...valuesOf(holder),
    ).map(toDeploy);
  }

  /**
   * Writes down the files that a deploy's requirements are, as JSON. They may be large: those that no deploy
   * needs which is on the air or on its way there go.
   */
  keepRequirements(deploy: number, files: string): void {
    const hash = createHash("sha256").update(files).digest("hex");
    this.#database.transaction(() => {
      this.#run(
        "INSERT INTO requirements (hash, files) VALUES (?, ?) ON CONFLICT DO NOTHING",
        hash,
        files,
      );
      this.#run("UPDATE deploy SET requirements = ? WHERE id = ?", hash, deploy);
      this.#run(
        `DELETE FROM requirements WHERE hash NOT IN
           (SELECT requirements FROM deploy WHERE id IN (SELECT live FROM instance)
            UNION SELECT requirements FROM deploy WHERE ${isUnfinished})`,
      );
    });
  }

  /** JSON; of a deploy that is neither on the air nor on its way there they may be gone. */
  requirements({ requirements: hash }: Pick<Deploy, "requirements">): string {
    const row = this.#get("SELECT files FROM requirements WHERE hash = ?", hash);
    return row ? text(row["files"]) : "[]";
  }

  /** JSON; empty where they were not looked through yet. */
  coverage({ requirements: hash }: Pick<Deploy, "requirements">): string {
    const row = this.#get("SELECT coverage FROM requirements WHERE hash = ?", hash);
    return row ? text(row["coverage"]) : "";
  }

  keepCoverage({ requirements: hash }: Pick<Deploy, "requirements">, coverage: string): void {
    this.#run("UPDATE requirements SET coverage = ? WHERE hash = ?", coverage, hash);
  }

  changeDeploy(id: number, change: DeployChange): void {
    this.#change("deploy", deployColumns, change, ["id", id]);
  }

  /** The deploy is live, and its instance says so: both or neither. */
  recordLive(
    deploy: Deploy,
    { settled, ...when }: { liveAt: string; milliseconds: number; settled: boolean },
  ): void {
    const instance = {
      live: deploy.id,
      ...(settled ? { settled: deploy.id, degraded: null } : {}),
    };
    this.#database.transaction(() => {
      this.changeDeploy(deploy.id, { state: "live", ...when });
      this.changeInstance(deploy.instance, instance);
      if (deploy.reason === "rebuild")
        this.raiseGeneration(deploy.app, isPreviewName(deploy.instance));
    });
  }

  startStep(deploy: number, position: number, name: string): void {
    this.#run("INSERT INTO step (deploy, position, name) VALUES (?, ?, ?)", deploy, position, name);
  }

  endStep(
    deploy: number,
    position: number,
    outcome: { detail: string | undefined; milliseconds: number },
  ): void {
    this.#run(
      "UPDATE step SET detail = ?, milliseconds = ? WHERE deploy = ? AND position = ?",
      outcome.detail === undefined ? null : shortened(outcome.detail, longestDetail),
      Math.round(outcome.milliseconds),
      deploy,
      position,
    );
  }

  steps(deploy: number): Step[] {
    return this.#all(
      "SELECT name, detail, milliseconds FROM step WHERE deploy = ? ORDER BY position",
      deploy,
    ).map((row) => ({
      name: text(row["name"]),
      detail: row["detail"] as string | null,
      milliseconds: row["milliseconds"] as number | null,
    }));
  }

  /** What an environment of this hash holds, as `pip freeze` listed it when it was first built. */
  environmentPackages(app: string, hash: string): string | undefined {
    const row = this.#get("SELECT packages FROM environment WHERE app = ? AND hash = ?", app, hash);
    return row && text(row["packages"]);
  }

  /** JSON; empty where none was kept. */
  environmentOrigin(app: string, hash: string): string {
    const row = this.#get("SELECT origin FROM environment WHERE app = ? AND hash = ?", app, hash);
    return row ? text(row["origin"]) : "";
  }

  /** The list of the first build stays, whatever a later one of the same hash holds. */
  keepEnvironment(app: string, hash: string, packages: string, origin = ""): void {
    this.#run(
      `INSERT INTO environment (app, hash, packages, built_at, origin) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET origin = excluded.origin`,
      app,
      hash,
      packages.length > longestPackages ? "" : packages,
      now(),
      origin,
    );
  }

  #change(
    table: string,
    columns: Record<string, string>,
    change: object,
    [key, value]: [string, string | number],
  ): void {
    const entries = Object.entries(change) as [string, string | number | null][];
    const assignments = entries.map(([name]) => `${columns[name] ?? ""} = ?`).join(", ");
    this.#run(
      `UPDATE ${table} SET ${assignments} WHERE ${key} = ?`,
      ...entries.map(([name, given]) =>
        typeof given === "string" ? shortened(given, longest[name] ?? given.length) : given,
      ),
      value,
    );
  }

  #run(...question: Parameters<Sqlite["run"]>): ReturnType<Sqlite["run"]> {
    return this.#database.run(...question);
  }

  #get(...question: Parameters<Sqlite["get"]>): Row | undefined {
    return this.#database.get(...question);
  }

  #all(...question: Parameters<Sqlite["all"]>): Row[] {
    return this.#database.all(...question);
  }
}

function toInstance(row: Row): InstanceRow {
  return {
    name: text(row["name"]),
    app: text(row["app"]),
    branch: text(row["branch"]),
    place: toPlace(row),
    live: row["live"] as number | null,
    settled: row["settled"] as number | null,
    degraded: row["degraded"] as string | null,
  };
}

function identityOf(row: Row | undefined): Identity | undefined {
  return row && { name: text(row["name"]), uid: Number(row["uid"]), gid: Number(row["gid"]) };
}

function toPreview(row: Row): Preview {
  return {
    instance: text(row["instance"]),
    app: text(row["app"]),
    branch: text(row["branch"]),
    place: toPlace(row),
    pinned: row["pinned"] === 1,
  };
}

function toPlace(row: Row): Place {
  return { host: text(row["host"]), path: text(row["path"]), port: Number(row["port"]) };
}

function toDeploy(row: Row): Deploy {
  return {
    id: Number(row["id"]),
    app: text(row["app"]),
    number: Number(row["number"]),
    instance: text(row["instance"]),
    reason: text(row["reason"]) as DeployReason,
    account: text(row["account"]),
    ref: text(row["ref"]),
    oldCommit: text(row["old_commit"]),
    newCommit: text(row["new_commit"]),
    subject: text(row["subject"]),
    module: text(row["module"]),
    root: text(row["root"]),
    environment: row["environment"] as string | null,
    formerPlace: row["former_place"] as string | null,
    requirements: text(row["requirements"]),
    state: text(row["state"]) as DeployState,
    error: row["error"] as string | null,
    note: row["note"] as string | null,
    holder: {
      pid: Number(row["holder_pid"]),
      startTime: Number(row["holder_start"]),
      turn: Number(row["holder_turn"]),
    },
    startedAt: text(row["started_at"]),
    liveAt: row["live_at"] as string | null,
    milliseconds: row["milliseconds"] as number | null,
  };
}
