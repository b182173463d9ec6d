import { askCoverage, expectCovered, nothingCovered } from "../../environment/coverage.ts";
import type { RequirementsFile } from "../../environment/requirements.ts";
import type { Builder } from "../../environment/workshop.ts";
import { UserError } from "../../../errors.ts";
import { CommandFailed } from "../../../system/system.ts";
import { endProcesses } from "../../../system/system-users.ts";
import { parseCoverage, type Coverage } from "../../store/coverage.ts";
import { buildLimits } from "../../world/context.ts";
import { builderWanted, type Preparation } from "../step.ts";

/** Done while a builder looks through them. */
type Meanwhile = (builder: Builder) => Promise<void>;

/** What the deploy's requirements reach in its tree. Texts that were looked through once are not again. */
export async function coverageOf(
  preparation: Preparation,
  files: RequirementsFile[],
  meanwhile: Meanwhile = () => Promise.resolve(),
): Promise<Coverage> {
  if (files.length === 0) return nothingCovered;
  const { context, deploy } = preparation;
  const known = context.store.requirements.coverage(deploy);
  const coverage = known ?? (await lookThrough(preparation, files, meanwhile));
  expectCovered(coverage);
  if (!known) context.store.requirements.keepCoverage(deploy, coverage);
  return coverage;
}

/** As a builder: what reads a stranger's text may be misled by it. */
async function lookThrough(
  preparation: Preparation,
  files: RequirementsFile[],
  meanwhile: Meanwhile,
): Promise<Coverage> {
  const { context, signal } = preparation;
  const { builders, config, system } = context;
  const output = await builders.use(builderWanted(preparation), async (builder) => {
    const { user, groups } = builder;
    const box = { ...buildLimits(config).box, groups };
    builder.isClean = false;
    const other = meanwhile(builder);
    try {
      const asking = askCoverage({ python: config.server.python, as: user, box }, files);
      return await system.run(asking, { signal });
    } catch (error) {
      throw explain(error);
    } finally {
      await other;
      if (system.isRoot) await endProcesses(system, user);
      builder.isClean = true;
    }
  });
  const coverage = parseCoverage(output);
  if (!coverage) throw unreadable("cannot be looked through");
  return coverage;
}

function explain(error: unknown): unknown {
  if (!(error instanceof CommandFailed)) return error;
  return error.timedOut || error.tooLong || /MemoryError|Killed/.test(error.output)
    ? unreadable(
        "takes pip's parser longer, or more memory, than any that was written by hand",
        error,
      )
    : error;
}

function unreadable(what: string, cause?: unknown): UserError {
  return new UserError("BUILD_TREE_INVALID", `requirements.txt ${what}`, { cause });
}
