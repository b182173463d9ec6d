import { afterAll, afterEach, beforeAll, describe, expect } from "vitest";
import { isLong } from "./oracle.ts";
import { Scene, type SceneNow } from "./scene.ts";

/**
 * A part of the catalogue, on a server of its own. The oracle looks after each case. In the long form the next
 * push has to work after each one, in the short form after all of them.
 */
export function catalogue(title: string, cases: (scene: SceneNow) => void): void {
  describe(title, () => {
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
    afterAll(async () => {
      await scene().pushAgain();
      await scene().expectUnharmed(true);
      expect(scene().openFiles, "the front's open files").toBeLessThan(openFiles + 20);
    });
    afterEach(async () => {
      await scene().expectUnharmed();
      if (isLong) await scene().pushAgain();
    });

    cases(scene);
  });
}
