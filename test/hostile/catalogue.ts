import { afterAll, afterEach, beforeAll, describe, expect } from "vitest";
import { buildCases } from "./cases/builds.ts";
import { configurationCases } from "./cases/configuration.ts";
import { protocolCases } from "./cases/http.ts";
import { nameCases } from "./cases/names.ts";
import { refCases } from "./cases/refs.ts";
import { treeCases } from "./cases/trees.ts";
import { isLong } from "./oracle.ts";
import { Scene, type SceneNow } from "./scene.ts";

let opened: Scene | undefined;
let openFiles = 0;
const scene: SceneNow = () => {
  if (!opened) throw new Error("the scene is not open");
  return opened;
};

beforeAll(async () => {
  opened = await Scene.open(["push_limit = 8", "build_deadline = 8"]);
  openFiles = opened.openFiles;
});
afterAll(() => opened?.close());

/** In the long form the next push has to work after each case, in the short one after each group. */
afterEach(async () => {
  await scene().expectUnharmed();
  if (isLong) await scene().pushAgain();
});

function group(title: string, cases: (scene: SceneNow) => void): void {
  describe(title, () => {
    afterAll(async () => {
      await scene().pushAgain();
      await scene().expectUnharmed(true);
      expect(scene().openFiles, "the front's open files").toBeLessThan(openFiles + 20);
    });
    cases(scene);
  });
}

group("the protocol", protocolCases);
group("names of repositories", nameCases);
group("refs", refCases);
group("trees", treeCases);
group("configurations", configurationCases);
group("builds", buildCases);
