import { z } from "zod";
import type { DeployReason, DeployState, Step } from "../names/deploy.ts";
import type { Process } from "../names/process.ts";
import { app, instance, number, page } from "./fields.ts";
import { asks } from "./verb.ts";

/**
 * `down`: what is to serve it does not run; `degraded`: an understudy carries the traffic in its stead; `unknown`:
 * nobody could look.
 */
export type InstanceState = "live" | "settling" | "degraded" | "asleep" | "down" | "unknown";

export interface AppSummary {
  app: string;
  /** Of what was never on the air: null. */
  state: InstanceState | null;
  url: string | null;
  commit: string | null;
  subject: string | null;
  liveSince: string | null;
}

export interface AppDetails extends AppSummary {
  branch: string;
  /** None where it was never deployed. */
  processes: Process[];
  release: string | null;
  environment: string | null;
  /** The system user that it runs as; without root there is none of its own. */
  user: string | null;
  packages: string[];
  degraded: string | null;
  deploys: number;
}

export interface PreviewSummary {
  branch: string;
  preview: string;
  state: InstanceState;
  url: string;
  commit: string | null;
  subject: string | null;
  usedAt: string;
  pinned: boolean;
  /** When its age removes it. */
  goesAt: string | null;
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

/** Bytes of the disk that an app takes, or all of its previews together; null where they could not be counted. */
export interface DiskUse {
  of: "app" | "previews";
  releases: number | null;
  environments: number | null;
  /** What installers keep, so as to fetch and build nothing twice. */
  caches: number | null;
  data: number | null;
  /** Its own, and what its deploys said. */
  logs: number | null;
  /** With what was fetched for its submodules. */
  repository: number | null;
  /** Of these what reeve makes again where it is wanted: releases and environments that are not on the air, and caches. */
  mayGo: number | null;
}

/** What changes nothing, about one app. The agent answers; the front judges who asks, and hands it on. */
export const readings = {
  show: asks(app).answers<AppDetails>(),
  releases: asks(instance.extend({ ...page, limit: page.limit.optional() })).answers<
    ReleaseSummary[]
  >(),
  deploys: asks(app.extend(page)).answers<DeploySummary[]>(),
  deployLog: asks(app.extend({ number })).answers<string>(),
  options: asks(app).answers<OptionsAnswer>(),
  variables: asks(app.extend({ ofPreviews: z.boolean() })).answers<Record<string, string>>(),
  previews: asks(app).answers<PreviewSummary[]>(),
  disk: asks(app).answers<DiskUse[]>(),
};

export type Reading = keyof typeof readings;
