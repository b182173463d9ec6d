import { appendFileSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

const mostBytes = 64 * 1024;
/** Bytes that are written as they come; of what is beyond, the end is kept, where a tool says why it failed. */
const mostAtOnce = 32 * 1024;
const mostHeld = 16 * 1024;

/** The file of what one deploy says: whoever prints without end fills no disk with it. */
export class DeployLog {
  readonly #path: string;
  #length: number;
  #held: string[] = [];
  #heldLength = 0;
  #leftOut = 0;

  constructor(path: string) {
    this.#path = path;
    mkdirSync(dirname(path), { recursive: true });
    this.#length = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }

  add(line: string): void {
    const length = Buffer.byteLength(line) + 1;
    if (this.#heldLength === 0 && this.#length + length <= mostAtOnce) this.#write([line]);
    else this.#hold(line, length);
  }

  /** Writes the end of what was held back, with how much came before. */
  flush(): void {
    const heading = this.#leftOut > 0 ? [`(${this.#leftOut} lines are left out)`] : [];
    if (this.#heldLength > 0) this.#write([...heading, ...this.#held]);
    this.#held = [];
    this.#heldLength = 0;
    this.#leftOut = 0;
  }

  #hold(line: string, length: number): void {
    this.#held.push(line);
    this.#heldLength += length;
    while (this.#heldLength > mostHeld) {
      this.#heldLength -= Buffer.byteLength(this.#held.shift() ?? "") + 1;
      this.#leftOut += 1;
    }
  }

  #write(lines: string[]): void {
    const text = Buffer.from(`${lines.join("\n")}\n`).subarray(0, mostBytes - this.#length);
    this.#length += text.length;
    appendFileSync(this.#path, text);
  }
}
