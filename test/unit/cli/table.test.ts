import { describe, expect, it } from "vitest";
import { shortSize, shortTime, table } from "../../../src/cli/table.ts";

describe("a table", () => {
  it("is columns under headings, with nothing drawn around them and nothing behind them", () => {
    const rows = [
      ["demo", "live", 12, "Say hello"],
      ["a-longer-name", "down", null, ""],
    ];

    expect(table(["APP", "STATE", "NO", "SUBJECT"], rows)).toBe(
      [
        "APP            STATE  NO  SUBJECT",
        "demo           live   12  Say hello",
        "a-longer-name  down   -",
      ].join("\n"),
    );
  });

  it("of nothing is its headings", () => {
    expect(table(["APP", "STATE"], [])).toBe("APP  STATE");
  });
});

describe("a size", () => {
  it.each<[number | null, string]>([
    [0, "0 B"],
    [1, "1 B"],
    [1023, "1023 B"],
    [1024, "1 KiB"],
    [1025, "1.1 KiB"],
    [10 * 1024 + 1, "11 KiB"],
    [1.5 * 1024 ** 3, "1.5 GiB"],
    [2 ** 60, "1048576 TiB"],
    [null, "?"],
  ])("of %s bytes is %s", (bytes, size) => {
    expect(shortSize(bytes)).toBe(size);
  });
});

describe("a time", () => {
  it("is short, and in the reader's own zone", () => {
    const local = new Date(2026, 10, 3, 7, 5);

    expect(shortTime(local.toISOString())).toBe("2026-11-03 07:05");
  });

  it("may be missing", () => {
    expect(shortTime(null)).toBeNull();
  });
});
