import { appendFileSync } from "node:fs";

export function median(numbers: number[]): number {
  const sorted = [...numbers].sort((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** What stands in a table: words, a number, or what was measured again and again, shown by its median. */
export type Cell = string | number | number[];

/** Prints a table, and hands on what was measured in it to scripts/bench.mjs, where that compares. */
export function printTable(headings: string[], rows: Cell[][]): void {
  recordRows(headings, rows);
  const lines = [headings, ...rows].map((row) =>
    row.map((cell) => (typeof cell === "string" ? cell : shown(median([cell].flat())))),
  );
  const widths = headings.map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? "").length)),
  );
  const text = lines.map((line) =>
    line
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  "),
  );
  process.stdout.write(`\n${text.join("\n")}\n`);
}

function shown(number: number): string {
  return number.toFixed(Number.isInteger(number) || number >= 10 ? 0 : 2);
}

function recordRows(headings: string[], rows: Cell[][]): void {
  const file = process.env["REEVE_BENCH_DATA"];
  if (file === undefined) return;
  for (const [title = "", ...cells] of rows)
    for (const [column, cell] of cells.entries()) {
      if (typeof cell === "string") continue;
      const name = `${[title].flat().join()}: ${headings[column + 1] ?? ""}`;
      appendFileSync(file, `${JSON.stringify({ name, samples: [cell].flat() })}\n`);
    }
}
