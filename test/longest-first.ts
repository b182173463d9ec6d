import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Seconds that the long files take, on a machine that is busy with others. Only their order counts: a file that
 * begins last is alone with the machine until it ends.
 */
export const seconds: Record<string, number> = {
  "test/unit/growth.test.ts": 51,
  "test/unit/host/walker.test.ts": 14,
  "test/unit/environment/coverage.test.ts": 11,
  "test/faults/kill.test.ts": 113,
  "test/faults/calls.test.ts": 93,
  "test/faults/soak.test.ts": 67,
  "test/faults/reverted.test.ts": 39,
  "test/faults/reboot.test.ts": 35,
  "test/faults/together.test.ts": 30,
  "test/hostile/authorisation.test.ts": 282,
  "test/hostile/bombs.test.ts": 247,
  "test/hostile/floods.test.ts": 136,
  "test/hostile/arguments.test.ts": 120,
  "test/hostile/history.test.ts": 116,
  "test/hostile/ssh.test.ts": 114,
  "test/hostile/configuration.test.ts": 95,
  "test/hostile/builders.test.ts": 95,
  "test/hostile/builds.test.ts": 95,
  "test/hostile/names.test.ts": 80,
  "test/hostile/refs.test.ts": 75,
  "test/hostile/credentials.test.ts": 74,
  "test/hostile/protocol.test.ts": 73,
  "test/hostile/trees.test.ts": 71,
  "test/hostile/isolation.test.ts": 61,
  "test/hostile/walks.test.ts": 40,
  "test/integration/previews.test.ts": 143,
  "test/integration/administration.test.ts": 104,
  "test/apps/apps.test.ts": 78,
  "test/integration/takeover.test.ts": 68,
  "test/integration/dying.test.ts": 66,
  "test/integration/leftovers.test.ts": 50,
  "test/integration/requirements.test.ts": 419,
  "test/integration/preview-places.test.ts": 299,
  "test/integration/preview-names.test.ts": 152,
  "test/integration/pushes.test.ts": 125,
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
