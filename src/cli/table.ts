import Table from "cli-table3";

const longestCell = 500;

type Cell = string | number | null;

/** The headings of a list, and what stands below each of them. */
export type Columns<Row> = Record<string, (row: Row) => Cell>;

interface ListFlags {
  json?: boolean | undefined;
  /** What a person is told where there are no rows. */
  none?: string;
}

/** A list for whoever asked for it: one document of JSON for programs, a table for people. */
export function printList<Row>(
  rows: Row[],
  columns: Columns<Row>,
  { json, none }: ListFlags,
): void {
  if (json) printJson(rows);
  else if (rows.length === 0 && none !== undefined) console.log(none);
  else {
    const cells = Object.values(columns);
    console.log(
      table(
        Object.keys(columns),
        rows.map((row) => cells.map((cell) => cell(row))),
      ),
    );
  }
}

/** Rows under headings, with nothing drawn around them: a person reads it and `cut` does too. */
export function table(headings: string[], rows: Cell[][]): string {
  const none = {
    top: "",
    "top-mid": "",
    "top-left": "",
    "top-right": "",
    bottom: "",
    "bottom-mid": "",
    "bottom-left": "",
    "bottom-right": "",
    left: "",
    "left-mid": "",
    mid: "",
    "mid-mid": "",
    right: "",
    "right-mid": "",
    middle: "  ",
  };
  const made = new Table({
    head: headings,
    chars: none,
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
  });
  for (const row of rows) made.push(row.map((cell) => oneLine(String(cell ?? "-"))));
  return made
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

/** What is longer, or has more lines, a list only begins to tell. */
function oneLine(cell: string): string {
  return cell.slice(0, longestCell).replaceAll("\n", " ");
}

/** `2026-11-23 21:55` in the reader's own time. */
export function shortTime(iso: string | null): string | null {
  if (iso === null) return null;
  const date = new Date(iso);
  const two = (number: number): string => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

const units = ["B", "KiB", "MiB", "GiB", "TiB"];

/** `1.4 GiB`, rounded up: what is not empty never looks so. */
export function shortSize(bytes: number | null): string {
  if (bytes === null) return "?";
  let [size, unit] = [bytes, 0];
  for (; size > 1023 && unit < units.length - 1; unit += 1) size /= 1024;
  const shown = size < 10 && unit > 0 ? Math.ceil(size * 10) / 10 : Math.ceil(size);
  return `${shown} ${units[unit] ?? ""}`;
}

/** For programs: one document of JSON. */
export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, null, 2));
}
