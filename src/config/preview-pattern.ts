/** Whether the option `previews` (all, off, or patterns in which `*` stands for anything) means a branch. */
export function isPreviewed(previews: string, branch: string): boolean {
  if (previews === "off") return false;
  return previews === "all" || previews.split(" ").some((pattern) => matches(pattern, branch));
}

/** Piece by piece and without a regular expression: a pattern is never slow, whatever it holds. */
function matches(pattern: string, branch: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return branch === pattern;
  if (!branch.startsWith(first)) return false;
  let at = first.length;
  for (const piece of rest) {
    const found = branch.indexOf(piece, at);
    if (found === -1) return false;
    at = found + piece.length;
  }
  return branch.length - last.length >= at && branch.endsWith(last);
}
