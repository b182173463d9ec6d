import { z } from "zod";
import type { DeployReason, DeployState, Holder, Step } from "../../names/deploy.ts";
import type { Place } from "../../names/instance.ts";
import { declaredProcess, type Process } from "../../names/process.ts";
import { fromJson } from "../../system/json.ts";
import { now, shortened, text, type Row, type Sqlite } from "../../system/sqlite.ts";

/**
 * How a release is brought to serve. `overlap`: an understudy boots beside what is on the air. `restart`: the vassal
 * itself is stopped and started, which is then settled.
 */
export type DeployStrategy = "overlap" | "restart";

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

export interface Deploy extends NewDeploy {
  id: number;
  /** Counts within the app, and is what people see. */
  number: number;
  /** Empty until the front has read them. */
  subject: string;
  /** What the commit runs; none until the front has read it. */
  processes: Process[];
  /** The folder of its tree that it runs in; empty: the whole tree. */
  root: string;
  /** The hash of what `requirements` of the store has. */
  requirements: string;
  environment: string | null;
  /** Null until the deploy has begun with that, and has something to be taken back. */
  strategy: DeployStrategy | null;
  state: DeployState;
  error: string | null;
  /** What happened after it was live: settled, degraded, superseded. */
  note: string | null;
  startedAt: string;
  liveAt: string | null;
  milliseconds: number | null;
}

type DeployChange = Partial<
  Pick<
    Deploy,
    | "state"
    | "error"
    | "note"
    | "subject"
    | "processes"
    | "root"
    | "environment"
    | "strategy"
    | "liveAt"
    | "milliseconds"
  >
>;

const processes = z.array(declaredProcess);
const formerPlace = z
  .object({
    scheme: z.enum(["http", "https"]).default("http"),
    ...{ host: z.string(), path: z.string(), port: z.int() },
  })
  .nullable();

const columns = {
  state: "state",
  error: "error",
  note: "note",
  subject: "subject",
  processes: "processes",
  root: "root",
  environment: "environment",
  strategy: "strategy",
  liveAt: "live_at",
  milliseconds: "milliseconds",
} as const;
/** Characters of what a deploy says that are kept of it; its log has more. */
const longest = { error: 2000, note: 300, subject: 500 };
const longestDetail = 120;
const longestRequest = 500;
/** Rows of a list, where nobody says how many. */
const mostListed = 100;

// A list names its columns: one that is added later and is large is not in it.
const ofDeploy = `id, app, number, instance, reason, account, ref, old_commit, new_commit, subject, processes, root,
  requirements, environment, strategy, state, error, note, holder_pid, holder_start, holder_turn, started_at,
  live_at, milliseconds`;
export const isUnfinished = "state IN ('preparing', 'proven', 'switched')";
const isOfHolder = "holder_pid = ? AND holder_start = ? AND holder_turn = ?";
const lastRemoval = `(SELECT coalesce(max(removal.id), 0) FROM deploy AS removal
  WHERE removal.instance = ?1 AND removal.state = 'removed')`;

/** Deploys, with their steps. */
export class Deploys {
  readonly #database: Sqlite;

  constructor(database: Sqlite) {
    this.#database = database;
  }

  start(deploy: NewDeploy): Deploy {
    const { holder } = deploy;
    const result = this.#database.run(
      `INSERT INTO deploy (app, number, instance, reason, account, ref, old_commit, new_commit, subject,
         requirements, state, holder_pid, holder_start, holder_turn, started_at)
       VALUES (?, (SELECT coalesce(max(number), 0) + 1 FROM deploy WHERE app = ?), ?, ?, ?, ?, ?, ?, '', '[]', 'preparing', ?, ?, ?, ?)`,
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
    return this.get(Number(result.lastInsertRowid)) as Deploy;
  }

  get(id: number): Deploy | undefined {
    const row = this.#database.get(`SELECT ${ofDeploy} FROM deploy WHERE id = ?`, id);
    return row && toDeploy(row);
  }

  byNumber(app: string, number: number): Deploy | undefined {
    const row = this.#database.get(
      `SELECT ${ofDeploy} FROM deploy WHERE app = ? AND number = ?`,
      app,
      number,
    );
    return row && toDeploy(row);
  }

  /** The newest first; `before`: those of smaller numbers. */
  list(app: string, limit: number, before = Number.MAX_SAFE_INTEGER): Deploy[] {
    return this.#database
      .all(
        `SELECT ${ofDeploy} FROM deploy WHERE app = ? AND number < ? ORDER BY number DESC LIMIT ?`,
        app,
        before,
        limit,
      )
      .map(toDeploy);
  }

  /** Deploys that are neither live nor refused: what a crash may have left in the air. */
  unfinished(): Deploy[] {
    return this.#database
      .all(`SELECT ${ofDeploy} FROM deploy WHERE ${isUnfinished} ORDER BY id`)
      .map(toDeploy);
  }

  /**
   * Deploys that were on the air, each commit once by its last time there, the newest first; `before`: those of
   * smaller ids. What was there before a removal went with it.
   */
  releases(instance: string, limit = mostListed, before = Number.MAX_SAFE_INTEGER): Deploy[] {
    return this.#database
      .all(
        `SELECT ${ofDeploy} FROM deploy
       WHERE instance = ?1 AND live_at IS NOT NULL AND id > ${lastRemoval} AND id < ?3 AND NOT EXISTS
         (SELECT 1 FROM deploy AS later WHERE later.instance = ?1 AND later.live_at IS NOT NULL
            AND later.new_commit = deploy.new_commit AND later.id > deploy.id)
       ORDER BY id DESC LIMIT ?2`,
        instance,
        limit,
        before,
      )
      .map(toDeploy);
  }

  /** The deploy by which a commit was on the air of an instance last, and has not been removed since. */
  releaseOf(instance: string, commit: string): Deploy | undefined {
    const row = this.#database.get(
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
    return this.#database
      .all(
        `SELECT DISTINCT new_commit FROM deploy
       WHERE instance = ?1 AND new_commit >= ?2 AND new_commit < ?2 || 'g' AND live_at IS NOT NULL
         AND id > ${lastRemoval}
       LIMIT 2`,
        instance,
        start,
      )
      .map((row) => text(row["new_commit"]));
  }

  /** What was on the air before the live commit was last pushed, so that each rollback goes further back. */
  commitBefore(instance: string): string | undefined {
    const onAir = `instance = ?1 AND live_at IS NOT NULL AND id > ${lastRemoval}`;
    const row = this.#database.get(
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
  of(holder: Holder, ref: string): Deploy | undefined {
    const row = this.#database.get(
      `SELECT ${ofDeploy} FROM deploy WHERE ${isOfHolder} AND ref = ? ORDER BY id DESC LIMIT 1`,
      ...valuesOf(holder),
      shortened(ref, longestRequest),
    );
    return row && toDeploy(row);
  }

  /** Deploys of this holder that are neither live nor refused. */
  unfinishedOf(holder: Holder): Deploy[] {
    return this.#database
      .all(
        `SELECT ${ofDeploy} FROM deploy WHERE ${isUnfinished} AND ${isOfHolder} ORDER BY id`,
        ...valuesOf(holder),
      )
      .map(toDeploy);
  }

  /** The deploy of this holder's that waits for its ref to move. */
  provenOf(holder: Holder, ref: string): Deploy | undefined {
    return this.unfinishedOf(holder).find(
      (deploy) => deploy.ref === ref && deploy.state === "proven",
    );
  }

  change(id: number, change: DeployChange): void {
    const { processes, ...others } = change;
    const json = processes && { processes: JSON.stringify(processes) };
    this.#database.update("deploy", { columns, longest }, { ...others, ...json }, ["id", id]);
  }

  /** Where the instance was before this deploy gives it another place; null: nowhere. */
  keepFormerPlace(id: number, place: Place | null): void {
    const kept = JSON.stringify(place);
    this.#database.run("UPDATE deploy SET former_place = ? WHERE id = ?", kept, id);
  }

  /** Undefined where the deploy has not touched the place. */
  formerPlace(id: number): Place | null | undefined {
    const kept = this.#database.get("SELECT former_place FROM deploy WHERE id = ?", id);
    const column = kept?.["former_place"] ?? null;
    if (column === null) return undefined;
    const place = fromJson(formerPlace, text(column));
    if (place === undefined)
      throw new Error(`the former place of deploy ${id} in the agent's database is no place`);
    return place;
  }

  startStep(deploy: number, position: number, name: string): void {
    this.#database.run(
      "INSERT INTO step (deploy, position, name) VALUES (?, ?, ?)",
      deploy,
      position,
      name,
    );
  }

  endStep(
    deploy: number,
    position: number,
    outcome: { detail: string | undefined; milliseconds: number },
  ): void {
    this.#database.run(
      "UPDATE step SET detail = ?, milliseconds = ? WHERE deploy = ? AND position = ?",
      outcome.detail === undefined ? null : shortened(outcome.detail, longestDetail),
      Math.round(outcome.milliseconds),
      deploy,
      position,
    );
  }

  steps(deploy: number): Step[] {
    return this.#database
      .all("SELECT name, detail, milliseconds FROM step WHERE deploy = ? ORDER BY position", deploy)
      .map((row) => ({
        name: text(row["name"]),
        detail: row["detail"] as string | null,
        milliseconds: row["milliseconds"] as number | null,
      }));
  }
}

function valuesOf({ pid, startTime, turn }: Holder): number[] {
  return [pid, startTime, turn];
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
    // Of another shape, nothing runs by it any more; the list that it stands in is still told.
    processes: fromJson(processes, text(row["processes"])) ?? [],
    root: text(row["root"]),
    environment: row["environment"] as string | null,
    strategy: row["strategy"] as DeployStrategy | null,
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
