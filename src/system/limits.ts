/** What a process may take that works on what somebody pushed, and each of those that it starts. */
export interface Limits {
  /**
   * Bytes of memory of its own (`RLIMIT_DATA`, getrlimit(2)): what it asks for beyond them it is refused, and says
   * so. The files that git maps, packs of any size, do not count.
   */
  memory: number;
  /** Seconds of processor time. */
  seconds: number;
}

/** The words before a command that hold it to its limits; the process keeps its number. */
export function limited({ memory, seconds }: Limits): string[] {
  return ["prlimit", `--data=${memory}`, `--cpu=${seconds}`, "--core=0", "--"];
}

/** The same for a shell that sets them itself (hooks/limited): `ulimit` counts memory in KiB. */
export function shellLimits({ memory, seconds }: Limits): Record<string, string> {
  return { REEVE_MEMORY: String(memory / 1024), REEVE_SECONDS: String(seconds) };
}
