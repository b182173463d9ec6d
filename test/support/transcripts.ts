import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { programRoot } from "../../src/config/config.ts";

export const transcriptFolder = join(programRoot, "test/transcripts");

export function readTranscript(name: string): string {
  return readFileSync(join(transcriptFolder, name), "utf8");
}

/** In their order: each goes on where those before it end. */
export function transcriptNames(): string[] {
  return readdirSync(transcriptFolder).sort();
}

/** What is typed in a transcript, command by command: `$ ` begins one, and `> ` goes on with it. */
export function typedIn(transcript: string): string[] {
  return transcript.match(/^\$ .*\n(?:>.*\n)*/gm) ?? [];
}

/** What was printed, with one value for all that differs from one run to the next, in columns as wide as before. */
export function masked(printed: string): string {
  return printed
    .replaceAll(/(?<! ) +$/gm, "")
    .replaceAll(/\b(?=[0-9a-f]*\d)[0-9a-f]{7,40}\b/g, ({ length }) =>
      "0123456789abcdef".repeat(3).slice(0, length),
    )
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d/g, "2026-11-30 12:00")
    .replaceAll(/(?<! ) +\d+(\.\d)? m?s$/gm, ({ length }) => "12 ms".padStart(length))
    .replaceAll(/(?<= in )\d+(\.\d+)?m?s$/gm, "12ms")
    .replaceAll(/(?<=Python )\d+\.\d+\.\d+/g, "3.11.2");
}

/** Whether a transcript has these lines, one after the other; `…` stands for whatever is left out. */
export function hasLines(transcript: string, lines: string): boolean {
  let end = 0;
  return masked(`\n${lines}`)
    .split("…")
    .every((piece) => {
      const start = transcript.indexOf(piece, end);
      end = start + piece.length;
      return start >= 0;
    });
}
