import { defineConfig } from "vitest/config";
import { CatalogueTable } from "./test/hostile/table.ts";
import { LongestFirst } from "./test/longest-first.ts";

/** What `npm test` leaves out. */
const isLong = process.env["ROUNDS"] !== undefined;

/** Real servers wait more than they work, so several run at a time on two cores; what the long forms measure wants the machine alone. */
const servers = (atOnce: number, turn: number) => ({
  maxWorkers: isLong ? 1 : atOnce,
  sequence: { groupOrder: turn },
});

/** Percent of the branches of each folder. */
const held = { converge: 85, deploy: 90, instance: 85 };
const heart = Object.entries(held).map(
  ([folder, branches]) => [`src/agent/${folder}/**/*.ts`, { branches }] as const,
);

export default defineConfig({
  test: {
    reporters: ["default", new CatalogueTable()],
    sequence: { sequencer: LongestFirst },
    // `npm run coverage`: the branches that the unit tests alone go through, of who decides what serves an instance.
    coverage: {
      include: heart.map(([files]) => files),
      reporter: ["text"],
      reportOnFailure: true,
      thresholds: Object.fromEntries(heart),
    },
    projects: [
      // No test changes a module, so that none needs modules of its own: most of the time went there.
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          isolate: false,
          // Of itself vitest leaves a core free.
          maxWorkers: 2,
          // For a machine that is busy with something else as well.
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts", "test/apps/**/*.test.ts"],
          exclude: isLong ? [] : ["test/apps/**/*.long.test.ts"],
          ...servers(4, 2),
          // Time for PyPI.
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          // What somebody tries who means harm; a title begins with the number of the case.
          name: "hostile",
          include: ["test/hostile/**/*.test.ts"],
          exclude: isLong ? [] : ["test/hostile/**/*.long.test.ts"],
          ...servers(4, 2),
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          // What is killed, and what the system refuses, at every step.
          name: "faults",
          include: ["test/faults/**/*.test.ts"],
          globalSetup: ["test/faults/recording.ts"],
          exclude: isLong ? [] : ["test/faults/**/*.long.test.ts"],
          // Here some cases hold that a push is through within seconds.
          ...servers(3, 1),
          testTimeout: 3_600_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          // git's own tests of HTTP, which npm run test:git fetches.
          name: "git",
          include: ["test/git/**/*.test.ts"],
          testTimeout: 900_000,
        },
      },
      {
        test: {
          // Histories of real repositories, of which somebody has clones.
          name: "clones",
          include: ["test/clones/**/*.test.ts"],
          testTimeout: 900_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: "bench",
          include: ["bench/**/*.bench.ts"],
          fileParallelism: false,
          testTimeout: 1_800_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
