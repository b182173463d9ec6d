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
  return ["prlimit", ...limitOptions({ memory, seconds }), "--"];
}

/** As prlimit(1) takes them. */
export function limitOptions({ memory, seconds }: Limits): string[] {
  return [`--data=${memory}`, `--cpu=${seconds}`, "--core=0"];
}
