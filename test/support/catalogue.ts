/** The catalogue of hostile cases: its groups, and how many cases each has. What an app may reach has a table of its own. */
const groups: Record<string, number> = {
  /** Credentials and rights. */
  A: 13,
  /** HTTP. */
  H: 15,
  /** SSH. */
  S: 10,
  /** Names of repositories. */
  P: 11,
  /** Refs. */
  R: 10,
  /** Trees and commits. */
  T: 16,
  /** uWSGI's inis. */
  I: 10,
  /** nginx's configuration. */
  N: 9,
  /** Hosts, and whose they are. */
  V: 6,
  /** Builds. */
  B: 24,
};

export const caseNumbers: string[] = Object.entries(groups).flatMap(([group, count]) =>
  Array.from({ length: count }, (_, index) => `${group}${index + 1}`),
);

const list = /[A-Z]\d{1,2}(?:, [A-Z]\d{1,2})*/.source;

/** The cases that a test is about: the numbers at the beginning of its title, or of a title around it. */
export function casesOf(fullTitle: string): string[] {
  const titles = fullTitle.split(" > ");
  return titles.flatMap((title) => new RegExp(`^(${list}):`).exec(title)?.[1]?.split(", ") ?? []);
}

/** The cases that a test's source names at the beginning of a title. */
export function casesIn(source: string): string[] {
  const titles = source.matchAll(new RegExp(`["\`](${list})["\`:]`, "g"));
  return [...titles].flatMap(([, numbers = ""]) => numbers.split(", "));
}

/** The cases that a page lists as those that are not tried, with the reason. */
export function casesLeftOut(page: string): Map<string, string> {
  const [, list = ""] = page.split("### What is not tried here\n");
  const rows = list.matchAll(/^\| ([A-Z]\d{1,2}) \| .* \| (.*) \|$/gm);
  return new Map([...rows].map(([, number = "", reason = ""]) => [number, reason]));
}
