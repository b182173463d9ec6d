import { describe, expect, it } from "vitest";
import { readableRequest } from "../../../src/cli/commands/logs.ts";
import { startTime } from "../../../src/cli/input.ts";

const line = {
  ...{ time: "2026-11-30T14:50:02", id: "5d0f", address: "127.0.0.1", method: "GET" },
  ...{ path: "/cart", status: 200, seconds: 0.0121, upstream_seconds: 0.011 },
  ...{ bytes_received: 312, bytes_sent: 1840, release: "" },
};

describe("a request in the access log", () => {
  it.each([
    [line, "2026-11-30 14:50:02  200    0.012 s   1.8 KiB  GET /cart  5d0f"],
    [
      { ...line, status: null, release: "work 0123abc" },
      "2026-11-30 14:50:02    -    0.012 s   1.8 KiB  GET /cart  5d0f  work 0123abc",
    ],
  ])("is a line for people", (given, readable) => {
    expect(readableRequest(JSON.stringify(given))).toBe(readable);
  });

  it.each([["(1 bytes came at once)"], ['{"time":1}']])("is as it is otherwise: %s", (given) => {
    expect(readableRequest(given)).toBe(given);
  });
});

describe("the time from which on", () => {
  it.each([
    ["10m", 600_000],
    ["2h", 7_200_000],
    ["3d", 259_200_000],
  ])("is so long ago: %s", (text, milliseconds) => {
    const since = Date.parse(startTime(text));
    const age = Date.now() - since;
    expect(age - milliseconds).toBeGreaterThanOrEqual(0);
    expect(age - milliseconds).toBeLessThan(1000);
  });

  it("is a time, in the reader's own zone where it names none", () => {
    expect(startTime("2026-11-30T14:50Z")).toBe("2026-11-30T14:50:00.000Z");
    expect(startTime("2026-11-30T14:50")).toBe(new Date(2026, 10, 30, 14, 50).toISOString());
  });

  it.each([["10"], ["10s"], ["m"], ["yesterday"]])("is nothing else: %s", (text) => {
    expect(() => startTime(text)).toThrow("It is not a time.");
  });
});
