/** What came and what went, in words; a name that stands twice counts twice. */
export function differences(kind: string, before: string[], now: string[]): string[] {
  const rest = [...before];
  const more = now.filter((name) => {
    const at = rest.indexOf(name);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
  return [
    ...more.map((name) => `${kind} too many: ${name}`),
    ...rest.map((name) => `${kind} missing: ${name}`),
  ];
}
