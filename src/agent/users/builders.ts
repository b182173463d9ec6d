import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { mebibyte } from "../../config/server-options.ts";
import type { Config } from "../../config/config.ts";
import { reclaim, type Builder } from "../environment/workshop.ts";
import type { ControlGroups, GroupLimits, GroupName } from "../../system/control-groups.ts";
import type { Identity, LocalSystem } from "../../system/system.ts";
import { sweepUser } from "../../system/system-users.ts";
import { Pool, type Wanting } from "../../system/pool.ts";
import type { Identities } from "./identities.ts";
import { provideUsers, type UserContext } from "./system-users.ts";

/** Makes the system users that build environments, where they are missing; with root, as many as may build at once. */
export async function provideBuilders(
  context: UserContext & { identities: Identities },
): Promise<Identity[]> {
  const { system, store, config, identities } = context;
  if (!system.isRoot) return [identities.front];
  const places = Array.from({ length: config.server.builds }, (_, index) => index + 1);
  await provideUsers(
    context,
    places.map((place) => ({
      stem: `reeve-build-${place}`,
      purpose: `build ${place}`,
      record: {
        find: () => store.users.builder(place),
        keep: (user) => store.users.keepBuilder(user, place),
        retire: (user) => store.users.retireBuilder(user),
      },
    })),
  );
  return places.flatMap((place) => store.users.builder(place) ?? []);
}

interface Means {
  config: Config;
  system: LocalSystem;
  groups: ControlGroups;
}

/** Who builds, one build at a time each. Without root it is the one user that everything runs as, and nobody waits. */
export class Builders {
  readonly #means: Means;
  readonly #all: Builder[];
  readonly #pool: Pool<Builder>;
  #working = 0;
  #resting: Promise<void> | undefined;

  constructor(means: Means, users: Identity[]) {
    const { system, groups } = means;
    this.#means = means;
    this.#all = users.map((user) => ({
      user,
      groups: system.isRoot ? groups.doorsOf(groupOf(user)) : [],
      isClean: false,
    }));
    this.#pool = new Pool(this.#all);
  }

  get count(): number {
    return this.#all.length;
  }

  /** What comes afterwards keeps the builder, and nobody waiting who has what they wanted. */
  async use<T>(
    wanting: Wanting,
    work: (builder: Builder) => Promise<T>,
    afterwards?: (builder: Builder) => Promise<void>,
  ): Promise<T> {
    const { system, groups, config } = this.#means;
    if (!system.isRoot) return this.#together(work, afterwards);
    const working = async (builder: Builder): Promise<T> => {
      const group = groupOf(builder.user);
      // It could still write where another app's build was broken off.
      if (!builder.isClean) {
        await reclaim({ system, builder }, await this.#folders());
        await this.#sweep(builder);
      }
      await groups.provide(group, limitsOf(config));
      try {
        return await work(builder);
      } finally {
        await groups.end(group);
        await this.#sweep(builder);
      }
    };
    return this.#pool.use(wanting, working, afterwards);
  }

  /** Builds of the one user go on beside each other; what comes afterwards is done when none does. */
  async #together<T>(
    work: (builder: Builder) => Promise<T>,
    afterwards?: (builder: Builder) => Promise<void>,
  ): Promise<T> {
    const builder = { ...(this.#all[0] as Builder) };
    await this.#resting;
    this.#working += 1;
    try {
      return await work(builder);
    } finally {
      this.#working -= 1;
      if (this.#working === 0) this.#resting = afterwards?.(builder);
    }
  }

  /** A box without namespaces writes where everybody may write, and sees what others wrote there. */
  async #sweep(builder: Builder): Promise<void> {
    const { system } = this.#means;
    if (await system.hasNamespaces()) return;
    const { isClean } = builder;
    builder.isClean = false;
    await sweepUser(system, builder.user);
    builder.isClean = isClean;
  }

  /** All folders of environments, those of apps that are about to go included. */
  async #folders(): Promise<string[]> {
    const { srv } = this.#means.config.layout;
    return (await readdir(srv)).flatMap((name) => [
      join(srv, name, "envs"),
      join(srv, name, "preview-envs"),
    ]);
  }
}

function groupOf({ name }: Identity): GroupName {
  return `builds/${name}`;
}

function limitsOf({ server }: Config): GroupLimits {
  return { memory: server.build_memory * mebibyte, processes: server.build_processes };
}
