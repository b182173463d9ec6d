import type { ProcessId } from "../system/processes.ts";

/**
 * preparing → proven → switched → live (or removed, with its branch), or refused from any of the first three.
 * `proven`: healthy, waiting for the ref; `switched`: carries the traffic, the ref is moving.
 */
export type DeployState = "preparing" | "proven" | "switched" | "live" | "removed" | "refused";
export type DeployReason = "push" | "rollback" | "redeploy" | "variables" | "rebuild" | "removal";

/** Whose turn it is: the process that carries the push, or one command of those that the front carries. */
export interface Holder extends ProcessId {
  turn: number;
}

export interface Step {
  name: string;
  detail: string | null;
  milliseconds: number | null;
}
