import { isPreviewName } from "../../names/names.ts";
import { Sqlite } from "../../system/sqlite.ts";
import { Apps } from "./apps.ts";
import { Deploys, type Deploy } from "./deploys.ts";
import { Environments } from "./environments.ts";
import { Instances } from "./instances.ts";
import { Places } from "./places.ts";
import { Previews } from "./previews.ts";
import { Requirements } from "./requirements.ts";
import { schema } from "./schema.ts";
import { Users } from "./users.ts";

/** The agent's memory, by its tables. */
export class AgentStore {
  readonly apps: Apps;
  readonly places: Places;
  readonly instances: Instances;
  readonly previews: Previews;
  readonly users: Users;
  readonly deploys: Deploys;
  readonly requirements: Requirements;
  readonly environments: Environments;
  readonly #database: Sqlite;

  constructor(path: string) {
    const database = new Sqlite(path, "agent", schema);
    this.#database = database;
    this.apps = new Apps(database);
    this.places = new Places(database);
    this.instances = new Instances(database, this.places);
    this.previews = new Previews(database, this.places);
    this.users = new Users(database);
    this.deploys = new Deploys(database);
    this.requirements = new Requirements(database);
    this.environments = new Environments(database);
  }

  close(): void {
    this.#database.close();
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
      this.deploys.change(deploy.id, { state: "live", ...when });
      this.instances.change(deploy.instance, instance);
      if (deploy.reason === "rebuild")
        this.apps.raiseGeneration(deploy.app, isPreviewName(deploy.instance));
    });
  }
}
