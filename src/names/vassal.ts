import { join } from "node:path";
import type { Layout } from "../config/layout.ts";
import { instancePaths, socketStem } from "./instance.ts";
import { isPreviewName } from "./names.ts";

/**
 * What a vassal is there for. The permanent one goes from release to release; an understudy carries the traffic
 * while another one comes; one on demand has a release for itself and sleeps until somebody looks.
 */
export type Role = "permanent" | "understudy" | "on demand";

/** What serves one release of one instance: the Emperor starts it from its ini, and it answers on its socket. */
export interface Vassal {
  instance: string;
  role: Role;
  /** The number of the deploy whose release it serves; 0: the permanent one. */
  deploy: number;
  ini: string;
  socket: string;
  log: string;
  /** The folder of its variables. */
  settings: string;
}

const marks = { understudy: ".next-", "on demand": ".rel-" } as const;

/** What the vassal of one deploy, and all that is its own, is called: `demo.next-7`. */
export function nameOfDeploy(stem: string, role: keyof typeof marks, deploy: number): string {
  return `${stem}${marks[role]}${deploy}`;
}

const fileGrammar = /^(.+)(\.next-|\.rel-)(\d{1,9})(?:\.ini|\.ini\.socket|\.sock|\.log)?$/;

/** What a file of one deploy's vassal tells by its name; `stem`: its instance, or what that one's sockets are called. */
export function parseNameOfDeploy(
  name: string,
): { stem: string; role: keyof typeof marks; deploy: number } | undefined {
  const [, stem, mark, digits] = fileGrammar.exec(name) ?? [];
  if (stem === undefined) return undefined;
  const role = mark === marks.understudy ? "understudy" : "on demand";
  return { stem, role, deploy: Number(digits) };
}

export function permanentVassal(layout: Layout, instance: string): Vassal {
  const { log, settings } = instancePaths(layout, instance);
  return {
    ...{ instance, role: "permanent", deploy: 0, log, settings },
    ini: join(layout.vassals, `${instance}.ini`),
    socket: join(layout.sockets, `${socketStem(instance)}.sock`),
  };
}

/** The former one of the same kind may still be finishing its requests: each deploy has one of its own name. */
export function vassalOfDeploy(
  layout: Layout,
  { instance, role, deploy }: { instance: string; role: keyof typeof marks; deploy: number },
): Vassal {
  const name = nameOfDeploy(instance, role, deploy);
  const { log, settings } = instancePaths(layout, instance);
  const own =
    role === "understudy"
      ? {
          log: join(layout.appLogs, `${name}.log`),
          settings: nameOfDeploy(settings, role, deploy),
        }
      : { log, settings };
  return {
    ...{ instance, role, deploy },
    ini: join(layout.vassals, `${name}.ini`),
    socket: join(layout.sockets, `${nameOfDeploy(socketStem(instance), role, deploy)}.sock`),
    ...own,
  };
}

export function understudyOf(layout: Layout, instance: string, deploy: number): Vassal {
  return vassalOfDeploy(layout, { instance, role: "understudy", deploy });
}

/**
 * Who has the traffic when a deploy has settled. An app's vassal is always there; each release of a preview has its
 * own, since a reload near waking or falling asleep is lost.
 */
export function vassalForGood(layout: Layout, instance: string, deploy: number): Vassal {
  return isPreviewName(instance)
    ? vassalOfDeploy(layout, { instance, role: "on demand", deploy })
    : permanentVassal(layout, instance);
}
