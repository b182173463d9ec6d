/** The newest rows of a list, as many as are wanted and one at least, page by page: nobody else has to hold all of them at once. */
export async function pagesOf<Row>(
  wanted: number,
  ask: (limit: number, before: number | undefined) => Promise<Row[]>,
  numberOf: (row: Row) => number,
): Promise<Row[]> {
  const most = Math.max(1, wanted);
  const rows: Row[] = [];
  while (rows.length < most) {
    const last = rows.at(-1);
    const page = await ask(most - rows.length, last && numberOf(last));
    if (page.length === 0) break;
    rows.push(...page);
  }
  return rows;
}
