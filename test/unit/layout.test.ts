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
  "front/one.ts": one,
  "push/one.ts": one,
  "protocol/one.ts": one,
  "store/front/one.ts": one,
  "store/agent/type.ts": type,
  "agent/one.ts": one,
  "deploy/one.ts": one,
  "deploy/type.ts": type,
  "deploy/steps/one.ts": one,
  "vassal/one.ts": one,
  "vhost/one.ts": one,
  "vhost/type.ts": type,
  "host/one.ts": one,
  "errors.ts": one,
};

describe("the layout", () => {
  it.each([
    ["host/planted.ts", 'import { one } from "../vassal/one.ts";'],
    ["vassal/planted.ts", 'import { one } from "../deploy/one.ts";'],
    ["deploy/planted.ts", 'export { one } from "../agent/one.ts";'],
    ["agent/planted.ts", 'const { one } = await import("../front/one.ts");'],
    ["push/planted.ts", 'import "../front/one.ts";'],
    ["front/planted.ts", 'export * from "../cli/one.ts";'],
    ["cli/planted.ts", 'import { one } from "../main.ts";'],
    ["cli/commands/planted.ts", 'import { one } from "../../server/one.ts";'],
    ["errors.ts", 'import { one } from "./agent/one.ts";'],
    ["protocol/planted.ts", 'import { one } from "../vassal/one.ts";'],
    ["app/planted.ts", 'import { one } from "../protocol/one.ts";'],
    ["store/planted.ts", 'import type { One } from "../deploy/type.ts";'],
    ["store/planted.ts", 'import { type One } from "../deploy/type.ts";'],
    ["store/planted.ts", 'export type Planted = import("../deploy/type.ts").One;'],
    // As those are spelt which a look at the first `../` alone does not find.
    ["deploy/steps/planted.ts", 'import { one } from "../../front/one.ts";'],
    ["store/agent/planted.ts", 'import type { One } from "../../deploy/type.ts";'],
    ["store/agent/far/planted.ts", 'import { one } from "../../../push/one.ts";'],
    ["host/planted.ts", 'import { one } from "./../host/../agent/one.ts";'],
  ])("lets nothing of a row above into %s: %s", async (file, line) => {
    expect(await complaints({ ...ground, [file]: line })).toContain(
      `dependencies point down: ${file}`,
    );
  });

  it.each([
    ["vassal/planted.ts", 'import { one } from "../vhost/one.ts";'],
    ["vhost/planted.ts", 'import { one } from "../vassal/one.ts";'],
    ["release/planted.ts", 'import type { One } from "../vhost/type.ts";'],
    ["settings/far/planted.ts", 'import { one } from "../../vassal/one.ts";'],
  ])("keeps siblings from each other: %s: %s", async (file, line) => {
    expect(await complaints({ ...ground, [file]: line })).toEqual([
      `siblings do not know each other: ${file}`,
    ]);
  });

  it.each([
    ["push/planted.ts", 'import { one } from "../agent/one.ts";'],
    ["front/planted.ts", 'import type { One } from "../deploy/type.ts";'],
    ["front/far/planted.ts", 'import { one } from "../../vassal/one.ts";'],
    ["push/planted.ts", 'import type { One } from "../store/agent/type.ts";'],
    ["deploy/planted.ts", 'import { one } from "../store/front/one.ts";'],
    ["store/agent/planted.ts", 'import { one } from "../front/one.ts";'],
  ])("keeps the wings from each other: %s: %s", async (file, line) => {
    expect(await complaints({ ...ground, [file]: line })).toEqual([
      `the wings do not know each other: ${file}`,
    ]);
  });

  it.each([
    ["cli/planted.ts", 'import { one } from "../front/one.ts";'],
    ["cli/commands/planted.ts", 'import type { One } from "../../deploy/type.ts";'],
    ["cli/planted.ts", 'const { one } = await import("../host/one.ts");'],
  ])("has the command line know nothing of how it is answered: %s: %s", async (file, line) => {
    expect(await complaints({ ...ground, [file]: line })).toEqual([
      `the command line only asks: ${file}`,
    ]);
  });

  it.each([
    ["agent/planted.ts", 'import { one } from "../deploy/steps/one.ts";'],
    ["server/planted.ts", 'import { one } from "../deploy/steps/one.ts";'],
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
  ])("has only host start processes: %s", async (line) => {
    const rule = "only host starts processes: vhost/planted.ts";

    expect(await complaints({ "vhost/planted.ts": line })).toEqual([rule]);
    expect(await complaints({ "host/planted.ts": line })).toEqual([]);
  });

  it.each(["vassal", "deploy"])("has no circle of two in %s, also of types", async (folder) => {
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
  });

  it("has no circle of three, over several folders", async () => {
    const circle = {
      "host/a.ts": 'import type { B } from "../store/agent/b.ts";\nexport type A = B[];',
      "store/agent/b.ts": 'import { c } from "../../app/c.ts";\nexport type B = typeof c;',
      "app/c.ts": 'import type { A } from "../host/a.ts";\nexport const c: A[] = [];',
    };

    expect(await complaints({ ...ground, ...circle })).toEqual([
      expect.stringMatching(/^no circles: (host\/a|store\/agent\/b|app\/c)\.ts$/),
    ]);
  });

  it("has a row for every folder", async () => {
    const planted = { "utils/planted.ts": 'import { one } from "../host/one.ts";' };

    expect(await complaints({ ...ground, ...planted })).toEqual([
      "every folder has its row: utils/planted.ts",
    ]);
  });

  it.each([
    ["main.ts", 'import { one } from "./cli/one.ts";'],
    ["server/planted.ts", 'import { one } from "../vassal/one.ts";'],
    ["deploy/planted.ts", 'import { one } from "./steps/one.ts";'],
    ["deploy/steps/planted.ts", 'import { one } from "../one.ts";'],
    ["vassal/planted.ts", 'import { one } from "./one.ts";'],
    ["vassal/planted.ts", 'import { one } from "../errors.ts";'],
    ["store/planted.ts", 'import { one } from "../host/one.ts";'],
    ["front/planted.ts", 'import { one } from "../protocol/one.ts";'],
    ["vhost/planted.ts", 'import { one } from "../protocol/one.ts";'],
    ["server/planted.ts", 'import { one } from "../agent/one.ts";\nimport "../front/one.ts";'],
    ["cli/planted.ts", 'import { one } from "../protocol/one.ts";\nimport "../errors.ts";'],
    ["front/planted.ts", 'import type { ChildProcess } from "node:child_process";'],
    ["front/planted.ts", 'import { z } from "zod";\nimport { join } from "node:path";'],
  ])("lets pass what points down: %s: %s", async (file, line) => {
    expect(await complaints({ ...ground, [file]: line })).toEqual([]);
  });
});
