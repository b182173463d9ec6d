import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { cruise, type IConfiguration, type ICruiseResult } from "dependency-cruiser";
import { describe, expect, it } from "vitest";
import { projectRoot } from "../support/server.ts";
import { temporaryFolder, writeFiles } from "../support/unit-folder.ts";

const { default: layout } = (await import(join(projectRoot, ".dependency-cruiser.js"))) as {
  default: IConfiguration;
};

/** What `npm run layout` says of a tree with these files in its `src/`: `RULE: FILE`. */
async function complaints(files: Record<string, string>): Promise<string[]> {
  const folder = temporaryFolder();
  writeFiles(join(folder, "src"), files);
  symlinkSync(join(projectRoot, "node_modules"), join(folder, "node_modules"));
  const { output } = await cruise(["src"], {
    ...layout.options,
    ruleSet: { forbidden: layout.forbidden ?? [] },
    ...{ validate: true, baseDir: folder, outputType: "json" },
  });
  const { summary } = JSON.parse(output as string) as ICruiseResult;
  expect(summary.totalCruised).toBeGreaterThanOrEqual(Object.keys(files).length);
  return summary.violations.map(({ rule, from }) => `${rule.name}: ${from.replace("src/", "")}`);
}

const one = "export const one = 1;\n";
const type = "export interface One { one: 1 }\n";

/** What a tree needs for the others to have something to import. */
const ground = {
  "main.ts": one,
  "server/one.ts": one,
  "cli/one.ts": one,
  "front/front.ts": one,
  "front/push/one.ts": one,
  "protocol/one.ts": one,
  "front/store/one.ts": one,
  "agent/store/type.ts": type,
  "agent/agent.ts": one,
  "agent/verbs/one.ts": one,
  "agent/deploy/one.ts": one,
  "agent/deploy/type.ts": type,
  "agent/deploy/steps/one.ts": one,
  "agent/vassal/one.ts": one,
  "agent/vhost/one.ts": one,
  "agent/vhost/type.ts": type,
  "system/one.ts": one,
  "errors.ts": one,
};

describe("the layout", () => {
  it.each([
    ["system/planted.ts", 'import { one } from "../agent/vassal/one.ts";'],
    ["agent/vassal/planted.ts", 'import { one } from "../deploy/one.ts";'],
    ["agent/deploy/planted.ts", 'export { one } from "../agent.ts";'],
    ["agent/verbs/planted.ts", 'const { one } = await import("../agent.ts");'],
    ["front/push/planted.ts", 'import "../front.ts";'],
    ["front/http/planted.ts", 'export * from "../../cli/one.ts";'],
    ["cli/planted.ts", 'import { one } from "../main.ts";'],
    ["cli/commands/planted.ts", 'import { one } from "../../server/one.ts";'],
    ["errors.ts", 'import { one } from "./agent/agent.ts";'],
    ["protocol/planted.ts", 'import { one } from "../agent/vassal/one.ts";'],
    ["names/planted.ts", 'import { one } from "../protocol/one.ts";'],
    ["agent/store/planted.ts", 'import type { One } from "../deploy/type.ts";'],
    ["agent/store/planted.ts", 'import { type One } from "../deploy/type.ts";'],
    ["agent/store/planted.ts", 'export type Planted = import("../deploy/type.ts").One;'],
    // As those are spelt which a look at the first `../` alone does not find.
    ["agent/deploy/steps/planted.ts", 'import { one } from "../../verbs/one.ts";'],
    ["agent/store/planted.ts", 'import type { One } from "../deploy/type.ts";'],
    ["agent/store/far/planted.ts", 'import { one } from "../../verbs/one.ts";'],
    ["system/planted.ts", 'import { one } from "./../system/../agent/agent.ts";'],
  ])("lets nothing of a row above into %s: %s", async (file, line) => {
    expect(await complaints({ ...ground, [file]: line })).toContain(
      `dependencies point down: ${file}`,
    );
  });

  it.each([
    ["agent/vassal/planted.ts", 'import { one } from "../vhost/one.ts";'],
    ["agent/vhost/planted.ts", 'import { one } from "../vassal/one.ts";'],
    ["agent/release/planted.ts", 'import type { One } from "../vhost/type.ts";'],
    ["agent/variables/far/planted.ts", 'import { one } from "../../vassal/one.ts";'],
  ])("keeps siblings from each other: %s: %s", async (file, line) => {
    expect(await complaints({ ...ground, [file]: line })).toEqual([
      `siblings do not know each other: ${file}`,
    ]);
  });

  it.each([
    ["front/push/planted.ts", 'import { one } from "../../agent/agent.ts";'],
    ["front/http/planted.ts", 'import type { One } from "../../agent/deploy/type.ts";'],
    ["front/ssh/far/planted.ts", 'import { one } from "../../../agent/vassal/one.ts";'],
    ["front/push/planted.ts", 'import type { One } from "../../agent/store/type.ts";'],
    ["agent/deploy/planted.ts", 'import { one } from "../../front/store/one.ts";'],
    ["agent/store/planted.ts", 'import { one } from "../../front/store/one.ts";'],
  ])("keeps the wings from each other: %s: %s", async (file, line) => {
    expect(await complaints({ ...ground, [file]: line })).toEqual([
      `the wings do not know each other: ${file}`,
    ]);
  });

  it.each([
    ["cli/planted.ts", 'import { one } from "../front/front.ts";'],
    ["cli/commands/planted.ts", 'import type { One } from "../../agent/deploy/type.ts";'],
    ["cli/planted.ts", 'const { one } = await import("../system/one.ts");'],
  ])("has the command line know nothing of how it is answered: %s: %s", async (file, line) => {
    expect(await complaints({ ...ground, [file]: line })).toEqual([
      `the command line only asks: ${file}`,
    ]);
  });

  it.each([
    ["agent/verbs/planted.ts", 'import { one } from "../deploy/steps/one.ts";'],
    ["agent/reconcile/planted.ts", 'import { one } from "../deploy/steps/one.ts";'],
    ["server/planted.ts", 'import { one } from "../agent/deploy/steps/one.ts";'],
  ])("leaves the steps to the deploy: %s: %s", async (file, line) => {
    expect(await complaints({ ...ground, [file]: line })).toEqual([
      `steps are the deploy's own: ${file}`,
    ]);
  });

  it.each([
    'import { execa } from "execa";',
    'import { execaSync as run } from "execa";',
    'import { type Options, execa } from "execa";',
    'export * from "execa";',
    'const { execa } = await import("execa");',
    'import { spawnSync } from "child_process";',
    'import * as processes from "node:child_process";',
    'import run from "node:child_process";',
  ])("has only system start processes: %s", async (line) => {
    const rule = "only system starts processes: agent/vhost/planted.ts";

    expect(await complaints({ "agent/vhost/planted.ts": line })).toEqual([rule]);
    expect(await complaints({ "system/planted.ts": line })).toEqual([]);
  });

  it.each(["agent/vassal", "agent/deploy", "front/push"])(
    "has no circle of two in %s, also of types",
    async (folder) => {
      const values = {
        [`${folder}/a.ts`]: 'import { b } from "./b.ts";\nexport const a = (): unknown => b;',
        [`${folder}/b.ts`]: 'import { a } from "./a.ts";\nexport const b = (): unknown => a;',
      };
      const types = {
        [`${folder}/a.ts`]: 'import type { B } from "./b.ts";\nexport interface A { b: B }',
        [`${folder}/b.ts`]: 'export interface B { a: import("./a.ts").A }',
      };

      for (const circle of [values, types])
        expect(await complaints({ ...ground, ...circle })).toEqual([
          expect.stringMatching(`^no circles: ${folder}/[ab].ts$`),
        ]);
    },
  );

  it("has no circle of three, over several folders", async () => {
    const circle = {
      "system/a.ts": 'import type { B } from "../config/b.ts";\nexport type A = B[];',
      "config/b.ts": 'import { c } from "../names/c.ts";\nexport type B = typeof c;',
      "names/c.ts": 'import type { A } from "../system/a.ts";\nexport const c: A[] = [];',
    };

    expect(await complaints({ ...ground, ...circle })).toEqual([
      expect.stringMatching(/^no circles: (system\/a|config\/b|names\/c)\.ts$/),
    ]);
  });

  it("has a row for every folder", async () => {
    const planted = { "utils/planted.ts": 'import { one } from "../system/one.ts";' };

    expect(await complaints({ ...ground, ...planted })).toEqual([
      "every folder has its row: utils/planted.ts",
    ]);
  });

  it.each([
    ["main.ts", 'import { one } from "./cli/one.ts";'],
    ["server/planted.ts", 'import { one } from "../agent/vassal/one.ts";'],
    ["agent/deploy/planted.ts", 'import { one } from "./steps/one.ts";'],
    ["agent/deploy/steps/planted.ts", 'import { one } from "../one.ts";'],
    ["agent/vassal/planted.ts", 'import { one } from "./one.ts";'],
    ["agent/vassal/planted.ts", 'import { one } from "../../errors.ts";'],
    ["agent/store/planted.ts", 'import { one } from "../../system/one.ts";'],
    ["front/http/planted.ts", 'import { one } from "../../protocol/one.ts";'],
    ["agent/vhost/planted.ts", 'import { one } from "../../protocol/one.ts";'],
    ["server/planted.ts", 'import { one } from "../agent/agent.ts";\nimport "../front/front.ts";'],
    ["cli/planted.ts", 'import { one } from "../protocol/one.ts";\nimport "../errors.ts";'],
    ["front/http/planted.ts", 'import type { ChildProcess } from "node:child_process";'],
    ["front/http/planted.ts", 'import { z } from "zod";\nimport { join } from "node:path";'],
  ])("lets pass what points down: %s: %s", async (file, line) => {
    expect(await complaints({ ...ground, [file]: line })).toEqual([]);
  });
});
