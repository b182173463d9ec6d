import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Seconds that the long files take beside others. Only their order counts: a file that begins last is alone with the
 * machine until it ends.
 */
export const seconds: Record<string, number> = {
  "test/integration/requirements.test.ts": 270,
  "test/hostile/authorisation.test.ts": 254,
  "test/integration/previews.test.ts": 152,
  "test/integration/reconcile.test.ts": 131,
  "test/hostile/bombs.test.ts": 127,
  "test/integration/administration.test.ts": 125,
  "test/integration/preview-places.test.ts": 112,
  "test/hostile/floods.test.ts": 76,
  "test/integration/waiting.test.ts": 76,
  "test/integration/left-behind.test.ts": 75,
  "test/hostile/ssh.test.ts": 73,
  "test/integration/refused.test.ts": 72,
  "test/integration/preview-names.test.ts": 71,
  "test/hostile/refs.test.ts": 70,
  "test/hostile/builders.test.ts": 69,
  "test/hostile/configuration.test.ts": 68,
  "test/integration/audit.test.ts": 66,
  "test/hostile/history.test.ts": 66,
  "test/integration/submodules.test.ts": 64,
  "test/faults/kill.test.ts": 64,
  "test/integration/rollback.test.ts": 58,
  "test/integration/pushes.test.ts": 58,
  "test/integration/preview-limits.test.ts": 58,
  "test/integration/dying.test.ts": 57,
  "test/hostile/protocol.test.ts": 57,
  "test/unit/growth.test.ts": 56,
  "test/hostile/trees.test.ts": 53,
  "test/hostile/credentials.test.ts": 51,
  "test/hostile/arguments.test.ts": 51,
  "test/faults/calls.test.ts": 51,
  "test/integration/restart.test.ts": 48,
  "test/integration/takeover.test.ts": 47,
  "test/hostile/names.test.ts": 47,
  "test/integration/units.test.ts": 46,
  "test/faults/soak.test.ts": 46,
  "test/integration/own-users.test.ts": 44,
  "test/apps/apps.test.ts": 44,
  "test/hostile/builds.test.ts": 40,
  "test/integration/leftovers.test.ts": 38,
  "test/integration/transcripts.test.ts": 37,
  "test/integration/refs.test.ts": 34,
  "test/integration/preview-commands.test.ts": 33,
  "test/hostile/isolation.test.ts": 33,
  "test/unit/system/walker.test.ts": 21,
  "test/unit/agent/environment/coverage.test.ts": 13,
  "test/unit/agent/release/bytecode.test.ts": 8,
};

/** Those that may run beside each other begin with the longest. Without it the largest do, which may be the quickest. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const long = ({ moduleId }: TestSpecification): number =>
      seconds[relative(this.ctx.config.root, moduleId)] ?? 0;
    const turn = ({ project }: TestSpecification): number => project.config.sequence.groupOrder;
    return sorted.sort((one, other) => turn(one) - turn(other) || long(other) - long(one));
  }
}
