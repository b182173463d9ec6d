import { describe, expect, it } from "vitest";
import { Throttle } from "../../../../src/front/http/throttle.ts";

function setUp() {
  let now = 0;
  const throttle = new Throttle(() => now);
  const judgements = (times: number, address: string, name: string): string[] =>
    Array.from({ length: times }, () => throttle.wrong({ address, name }));
  return { judgements, wait: (time: number) => (now += time) };
}

describe("A8: wrong credentials", () => {
  it("are counted, and from the hundred-and-first in a minute on they are too many", () => {
    const { judgements } = setUp();

    const found = judgements(103, "10.0.0.1", "ada");

    expect(found.slice(0, 100).every((judgement) => judgement === "counted")).toBe(true);
    expect(found.slice(100)).toEqual(["first too many", "too many", "too many"]);
  });

  it("count for the address, whichever names are tried", () => {
    const { judgements } = setUp();
    for (let number = 0; number < 100; number++) judgements(1, "10.0.0.1", `name-${number}`);

    expect(judgements(1, "10.0.0.1", "another")).toEqual(["first too many"]);
    expect(judgements(1, "10.0.0.2", "another")).toEqual(["counted"]);
  });

  it("count for the name, from however many addresses", () => {
    const { judgements } = setUp();
    for (let number = 0; number < 100; number++) judgements(1, `10.0.0.${number}`, "ada");

    expect(judgements(1, "10.0.1.1", "ada")).toEqual(["first too many"]);
    expect(judgements(1, "10.0.1.1", "grace")).toEqual(["counted"]);
  });

  it("are forgotten after a minute", () => {
    const { judgements, wait } = setUp();
    judgements(150, "10.0.0.1", "ada");

    wait(60_000);

    expect(judgements(1, "10.0.0.1", "ada")).toEqual(["counted"]);
  });

  it("fill no memory, whatever names somebody invents", () => {
    const { judgements } = setUp();
    const before = process.memoryUsage().heapUsed;
    for (let number = 0; number < 100_000; number++) judgements(1, `a${number}`, `n${number}`);

    expect(process.memoryUsage().heapUsed - before).toBeLessThan(50 * 1024 * 1024);
  });
});
