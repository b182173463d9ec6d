/** What the rules of number and age look at. */
export interface PreviewUse {
  instance: string;
  branch: string;
  pinned: boolean;
  /** Milliseconds since 1970: the last push or visit. */
  usedAt: number;
}

const day = 24 * 60 * 60 * 1000;

/** When a preview goes by its age; never, where it is pinned. */
export function goesAt({ pinned, usedAt }: PreviewUse, days: number): number | undefined {
  return pinned ? undefined : usedAt + days * day;
}

export function isExpired(use: PreviewUse, days: number, now: number): boolean {
  return (goesAt(use, days) ?? Infinity) <= now;
}

/** The one to give up first: nobody pinned it, and it was longest without a push or a visit. */
export function leastUsed(uses: PreviewUse[]): PreviewUse | undefined {
  return uses
    .filter(({ pinned }) => !pinned)
    .reduce<PreviewUse | undefined>(
      (least, use) => (least && least.usedAt <= use.usedAt ? least : use),
      undefined,
    );
}
