import { describe, expect, it, vi } from "vitest";
import { printList, shortSize, shortTime, table } from "../../../src/cli/table.ts";

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

describe("a list", () => {
  const columns = {
    APP: ({ app }: { app: string }) => app,
    LETTERS: ({ app }: { app: string }) => app.length,
  };

  /** What is printed of these rows. */
  function printed(apps: string[], flags: Parameters<typeof printList>[2]): string {
    const log = vi.spyOn(console, "log").mockImplementation(() => undefined);
    const rows = apps.map((app) => ({ app }));
    printList(rows, columns, flags);
    const lines = log.mock.calls.join("\n");
    log.mockRestore();
    return lines;
  }

  it("is a table of its columns for a person", () => {
    expect(printed(["demo"], {})).toBe("APP   LETTERS\ndemo  4");
  });

  it("is the rows as they are for a program, whatever the columns make of them", () => {
    expect(JSON.parse(printed(["demo"], { json: true }))).toEqual([{ app: "demo" }]);
    expect(JSON.parse(printed([], { json: true, none: "There are none." }))).toEqual([]);
  });

  it("without rows is its headings, or a sentence where there is one", () => {
    expect(printed([], {})).toBe("APP  LETTERS");
    expect(printed([], { none: "There are none." })).toBe("There are none.");
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
