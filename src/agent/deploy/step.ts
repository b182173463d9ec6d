import type { PushedTag } from "../environment/tree-contents.ts";
import type { Instance } from "../../names/instance.ts";
import type { AppOptions } from "../../config/app-options.ts";
import type { VariablesChange } from "../variables/variables.ts";
import type { Deploy } from "../store/deploys.ts";
import type { Health } from "../vassal/vassal.ts";
import type { Wanting } from "../../system/pool.ts";
import type { DeployContext } from "../world/context.ts";

/** What the steps of one deploy work with. */
export interface Preparation {
  context: DeployContext;
  instance: Instance;
  options: AppOptions;
  /** As it is on record; steps add to it by `store.changeDeploy`, and those after them find it here. */
  deploy: Deploy;
  /** The app's variables are changed by this deploy, and stay as they are where it is refused. */
  variables?: VariablesChange | undefined;
  /** Tags that come with the same push, which git moves only when this is over. */
  tags?: PushedTag[] | undefined;
  /** Passes a line on to the pusher and to the deploy's log. */
  line: (text: string) => void;
  /** Aborted when somebody cancels the deploy. */
  signal: AbortSignal;
  /** Left by the step that boots the release for the one that asks for its health. */
  booting?: Booting;
}

/** A vassal that boots, and is asked meanwhile. */
export interface Booting {
  health: Promise<Health>;
  log: string;
  /** The length of its log before. */
  from: number;
  /** When nobody served any more, where what served was stopped before. */
  stopped?: number | undefined;
}

/**
 * One step of a deploy, with its undoing beside it. The undoing goes by the deploy's record alone and may
 * run twice: after a failure, after the push that carried it is gone, or after a crash at any moment.
 */
export interface Step {
  name: string;
  /** Resolves to what there is to say about it, or to undefined where nothing had to be done. */
  run: (preparation: Preparation) => Promise<string | undefined>;
  undo: (context: DeployContext, deploy: Deploy) => Promise<void>;
}

/** How a step asks for a builder: where all of them build just now, the push says what it waits for. */
export function builderWanted({ context, line, signal }: Preparation): Wanting {
  const { count } = context.builders;
  const onWait = (): void =>
    line(`reeve: ${plural(count, "build")} at once is what there may be: this one waits`);
  return { onWait, signal };
}

/** Writes it down for those who undo, and for the steps that follow. */
export function note(
  { context, deploy }: Preparation,
  change: Partial<Pick<Deploy, "environment" | "strategy">>,
): void {
  context.store.deploys.change(deploy.id, change);
  Object.assign(deploy, change);
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
