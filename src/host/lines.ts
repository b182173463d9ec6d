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

  static of(stream: Readable, onLine: (line: string) => void, longest = longestLine): LineSplitter {
    const splitter = new LineSplitter(onLine, longest);
    stream.on("data", (chunk: Buffer) => splitter.write(chunk));
    return splitter;
  }

  write(chunk: Buffer): void {
    const pieces = (this.#rest + this.#decoder.write(chunk)).split("\n");
    this.#rest = (pieces.pop() ?? "").slice(0, this.#longest);
    for (const piece of pieces) this.#onLine(piece.slice(0, this.#longest));
  }

  /** Hands over what came after the last line break. */
  end(): void {
    if (this.#rest !== "") this.#onLine(this.#rest);
    this.#rest = "";
  }
}

/* eslint-disable no-control-regex -- control characters are what is looked for */
const unprintable = new RegExp(
  [
    /\u001b\[[0-9;?]*[A-Za-z]/, // colours and movements of the cursor
    /\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?/, // titles, links, the clipboard
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/,
    /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/, // changes of direction
  ]
    .map((pattern) => pattern.source)
    .join("|"),
  "g",
);
/* eslint-enable no-control-regex */

/** Text that somebody else wrote, fit for a terminal: no escapes, no control characters, no change of direction. */
export function printable(text: string): string {
  return text.replace(unprintable, "");
}
