import { join } from "node:path";
import type { Layout } from "../config/layout.ts";
import { instancePaths, socketStem } from "./instance.ts";
import { isPreviewName } from "./names.ts";

/**
 * What a vassal is there for. The permanent one goes from release to release; an understudy carries the traffic
 * while another one comes; one on demand has a release for itself and sleeps until somebody looks.
 */
export type Role = "permanent" | "understudy" | "on demand";

/** What runs one process of one release of an instance: the Emperor starts it from its ini. */
export interface Vassal {
  instance: string;
  /** `web`, which answers on its socket; any other by its type and its number: `worker.1`. */
  process: string;
  role: Role;
  /** The number of the deploy whose release it runs; 0: the permanent one. */
  deploy: number;
  ini: string;
  socket: string;
  log: string;
  /** The folder of its variables, which all processes of a release have in common. */
  variables: string;
}

/** What tells a vassal of an instance from its others. */
type Which = Pick<Vassal, "process" | "role" | "deploy">;

const marks = { understudy: ".next-", "on demand": ".rel-" } as const;

/**
 * What a vassal, and all that is its own, is called: `demo`, its understudy `demo.next-7`, another process of the app's
 * `demo.worker.1`. No instance's name holds a dot, no type of process does, and behind a type comes a number alone.
 */
function vassalName(stem: string, { process, role, deploy }: Which): string {
  const own = process === "web" ? stem : `${stem}.${process}`;
  return role === "permanent" ? own : `${own}${marks[role]}${deploy}`;
}

// An instance, or what its sockets are called (`socketStem`); then its process, where that is another one than `web`;
// then role and deploy, where it is not the permanent one.
const fileGrammar =
  /^([a-z0-9-]+(?:\.[0-9a-f]{12})?)(?:\.((?!web\.)[\w-]{1,30}\.[1-9]\d{0,3}))?(?:(\.next-|\.rel-)(\d{1,9}))?(?:\.ini|\.ini\.socket|\.sock|\.log(?:\.[1-9]\d?)?)?$/;

/**
 * What a vassal's file tells by its name; `stem`: its instance, or what that one's sockets are called. Undefined also
 * of what bears the instance's name alone: not all of that is a vassal's.
 */
export function parseVassalName(name: string): (Which & { stem: string }) | undefined {
  const [, stem, process = "web", mark, digits] = fileGrammar.exec(name) ?? [];
  if (stem === undefined || (process === "web" && mark === undefined)) return undefined;
  if (mark === undefined) return { stem, process, role: "permanent", deploy: 0 };
  const role = mark === marks.understudy ? "understudy" : "on demand";
  return { stem, process, role, deploy: Number(digits) };
}

/** One of an instance's, of the process `web` unless another one is named. */
export function vassalOf(
  layout: Layout,
  { instance, process = "web", role, deploy }: VassalKey,
): Vassal {
  const { variables } = instancePaths(layout, instance);
  const which = { process, role, deploy };
  const name = vassalName(instance, which);
  const lasting = vassalName(instance, { process, role: "permanent", deploy: 0 });
  const isUnderstudy = role === "understudy";
  return {
    ...{ instance, ...which },
    ini: join(layout.vassals, `${name}.ini`),
    socket: join(layout.sockets, `${vassalName(socketStem(instance), which)}.sock`),
    // The former understudy may still be finishing its requests: each deploy's has one of its own name.
    log: join(layout.appLogs, `${isUnderstudy ? name : lasting}.log`),
    variables: isUnderstudy ? nameOfUnderstudy(variables, deploy) : variables,
  };
}

type VassalKey = Omit<Which, "process"> & { instance: string; process?: string };

/** What is one deploy's alone until its understudy has ended, whatever it runs: `variables.next-7`. */
export function nameOfUnderstudy(stem: string, deploy: number): string {
  return vassalName(stem, { process: "web", role: "understudy", deploy });
}

export function permanentVassal(layout: Layout, instance: string): Vassal {
  return vassalOf(layout, { instance, role: "permanent", deploy: 0 });
}

export function understudyOf(layout: Layout, instance: string, deploy: number): Vassal {
  return vassalOf(layout, { instance, role: "understudy", deploy });
}

/**
 * Who has the traffic when a deploy has settled. An app's vassal is always there; each release of a preview has its
 * own, since a reload near waking or falling asleep is lost.
 */
export function vassalForGood(layout: Layout, instance: string, deploy: number): Vassal {
  return isPreviewName(instance)
    ? vassalOf(layout, { instance, role: "on demand", deploy })
    : permanentVassal(layout, instance);
}
