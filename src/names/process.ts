import { z } from "zod";
import { moduleName } from "./names.ts";

/**
 * What an instance runs, as its commit asks for it: of which type, by the Procfile's word, and by which kind of server.
 * What a vassal's ini has of its kind alone is in `templates/KIND.ini.hbs`.
 */
export const declaredProcess = z.discriminatedUnion("kind", [
  z.object({ type: z.literal("web"), kind: z.literal("wsgi"), module: moduleName }),
]);

export type Process = z.infer<typeof declaredProcess>;

/** All of a commit's, each type once. */
export const declaredProcesses = z
  .array(declaredProcess)
  .min(1)
  .max(100)
  .refine(
    (processes) => new Set(processes.map(({ type }) => type)).size === processes.length,
    "has a type of process twice",
  );

/** The one that answers requests; undefined where nobody has read yet what the commit asks for. */
export function webOf(processes: Process[]): Process | undefined {
  return processes.find(({ type }: { type: string }) => type === "web");
}
