import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";

const longestLine = 4096;

/** Cuts a stream into lines, holding no more than one line, of bounded length where somebody else wrote it. */
export class LineSplitter {
  readonly #decoder = new StringDecoder("utf8");
  readonly #onLine: (line: string) => void;
  readonly #longest: number;
  #rest = "";

  constructor(onLine: (line: string) => void, longest: number) {
    this.#onLine = onLine;
    this.#longest = longest;
  }

  /** Where `onLine` throws, the stream ends with that error. */
  static of(stream: Readable, onLine: (line: string) => void, longest = longestLine): LineSplitter {
    const splitter = new LineSplitter(onLine, longest);
    stream.on("data", (chunk: Buffer) => {
      try {
        splitter.write(chunk);
      } catch (error) {
        stream.destroy(error as Error);
      }
    });
    return splitter;
  }

  write(chunk: Buffer): void {
    // Only what is new is looked through: a long line comes in many chunks.
    const [first = "", ...others] = this.#decoder.write(chunk).split("\n");
    this.#add(first);
    for (const piece of others) {
      const line = this.#rest;
      this.#rest = "";
      this.#onLine(line);
      this.#add(piece);
    }
  }

  #add(piece: string): void {
    this.#rest += piece.slice(0, this.#longest - this.#rest.length);
  }

  /** Passes on what came after the last line break. */
  end(): void {
    if (this.#rest !== "") this.#onLine(this.#rest);
    this.#rest = "";
  }
}

/** A text's lines one after the other, without the blanks around them and cut before anything looks at them. */
export function* linesOf(text: string, longest = longestLine): Generator<string> {
  for (let start = 0; start <= text.length;) {
    const found = text.indexOf("\n", start);
    const end = found < 0 ? text.length : found;
    yield text.slice(start, end).trim().slice(0, longest);
    start = end + 1;
  }
}

/* eslint-disable no-control-regex -- control characters are what is looked for */
const unprintable = [
  /\u001b\[[0-9;?]*[A-Za-z]/g, // colours and movements of the cursor
  /\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?/g, // titles, links, the clipboard
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g,
  /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, // changes of direction
];
/* eslint-enable no-control-regex */

/** Text that somebody else wrote, fit for a terminal: no escapes, no control characters, no change of direction. */
export function printable(text: string): string {
  return unprintable.reduce((rest, pattern) => rest.replace(pattern, ""), text);
}
