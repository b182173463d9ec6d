import { describe, expect, it } from "vitest";
import { together } from "../../../src/system/together.ts";

describe("what is done together", () => {
  it("tells what both came to", async () => {
    expect(
      await together(
        () => Promise.resolve(1),
        () => Promise.resolve("two"),
      ),
    ).toEqual([1, "two"]);
  });

  it("is ended as a whole by one failure, which is told when nothing runs any more", async () => {
    let isOver = false;
    const work = together(
      () => Promise.reject(new Error("the first")),
      (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () =>
            setTimeout(() => {
              isOver = true;
              reject(new Error("ended"));
            }, 20),
          );
        }),
    );

    await expect(work).rejects.toThrow("the first");
    expect(isOver).toBe(true);
  });

  it("tells the failure of the second where the first was ended for it", async () => {
    const work = together(
      (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason as Error));
        }),
      () => Promise.reject(new Error("the second")),
    );

    await expect(work).rejects.toThrow("the second");
  });

  it("is ended by whoever wants it no more", async () => {
    const stop = new AbortController();
    const until = (signal: AbortSignal): Promise<never> =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      });
    const work = together(until, until, stop.signal);
    stop.abort(new Error("no more"));

    await expect(work).rejects.toThrow("no more");
  });
});
