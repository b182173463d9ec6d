import type { DeployReason, DeployState, Step } from "../app/deploy.ts";
import type { QuestionName } from "./questions.ts";

/** What the agent answers; one type for each question. */
export interface Answers extends Record<QuestionName, unknown> {
  create: null;
  start: { deploy: number };
  prepare: null;
  prepareRemoval: { deploy: number | null };
  /** Whether there was a deploy, and its end was said. */
  refuse: { isSaid: boolean };
  switch: null;
  confirm: null;
  finished: null;
  confine: null;
  cancel: { number: number };
  reconcile: Reconciled;
  pinReleases: null;
  apps: AppSummary[];
  show: AppDetails;
  release: { commit: string };
  releases: ReleaseSummary[];
  deploys: DeploySummary[];
  deployLog: string;
  logs: null;
  options: OptionsAnswer;
  setOptions: null;
  settings: Record<string, string>;
  changeSettings: null;
  previews: PreviewSummary[];
  preview: { instance: string; branch: string };
  pinPreview: null;
  hold: null;
  removePreview: null;
  destroy: null;
}

export interface Reconciled {
  /** What was put right, a line each; nothing when all was right. */
  done: string[];
  /**
   * Apps that need a deploy of what their branch names, which the front can begin: another commit is on the air, or
   * the vassal does not run as its deploy wants it.
   */
  astray: string[];
  /** Something takes too long for a start: do it again when the agent listens. */
  postponed: boolean;
}

/** `down`: the permanent vassal does not run; `degraded`: an understudy carries the traffic in its stead. */
export type AppState = "never deployed" | "live" | "settling" | "degraded" | "down";

export interface AppSummary {
  app: string;
  state: AppState;
  url: string | null;
  commit: string | null;
  subject: string | null;
  liveSince: string | null;
}

export interface PreviewSummary {
  branch: string;
  preview: string;
  state: AppState | "asleep";
  url: string;
  commit: string | null;
  subject: string | null;
  usedAt: string;
  pinned: boolean;
  /** When its age removes it. */
  goesAt: string | null;
}

export interface AppDetails extends AppSummary {
  branch: string;
  module: string | null;
  release: string | null;
  environment: string | null;
  /** The system user that it runs as; without root there is none of its own. */
  user: string | null;
  packages: string[];
  degraded: string | null;
  deploys: number;
}

export interface ReleaseSummary {
  commit: string;
  subject: string;
  deploy: number;
  account: string;
  liveAt: string;
  live: boolean;
  onDisk: boolean;
}

export interface DeploySummary {
  number: number;
  /** The app itself, or the preview that it was about. */
  instance: string;
  reason: DeployReason;
  state: DeployState;
  ref: string;
  oldCommit: string;
  newCommit: string;
  subject: string;
  account: string;
  startedAt: string;
  milliseconds: number | null;
  error: string | null;
  note: string | null;
  steps: Step[];
}

export type OptionValue = string | number | boolean;

export interface OptionsAnswer {
  path: string;
  values: {
    name: string;
    /** Of a secret that is set: asterisks. */
    value: OptionValue;
    sentence: string;
    default: OptionValue;
  }[];
}
