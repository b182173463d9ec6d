import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { InvalidArgumentError } from "commander";

/** More bytes than any value may have: what is longer is refused for its length, and need not be held. */
const longest = 256 * 1024;

/** Standard input to its end, or its beginning where it is longer than anything that is taken. */
export async function readInput(input: AsyncIterable<Buffer> = process.stdin): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of input) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > longest) break;
  }
  return Buffer.concat(chunks).toString();
}

/** A value that no argument shall hold: typed unseen on a terminal, else standard input without its last line break. */
export async function readValue(name: string): Promise<string> {
  if (process.stdin.isTTY) return askUnseen(`${name}: `);
  return (await readInput()).replace(/\r?\n$/, "");
}

/** Whoever types nothing but the end of input gives nothing. */
async function askUnseen(question: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  process.stderr.write(question);
  const answer = await new Promise<string>((resolve) => {
    terminal.once("line", resolve);
    terminal.once("close", () => resolve(""));
    // The terminal hands Ctrl-C on as a letter while its echo is off.
    terminal.once("SIGINT", () => {
      terminal.close();
      process.stderr.write("\n");
      process.kill(process.pid, "SIGINT");
    });
  });
  terminal.close();
  process.stderr.write("\n");
  return answer;
}

/** An option's value, for commander. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError("It is not a whole number.");
  return Number(text);
}

/** Without a zone it is the reader's own time. */
export function pastTime(text: string): string {
  const time = new Date(text);
  if (!/^\d{4}-/.test(text) || Number.isNaN(time.getTime()))
    throw new InvalidArgumentError("It is not a time.");
  return time.toISOString();
}

const units: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** So long ago, or a time. */
export function startTime(text: string): string {
  const [, count, unit = ""] = /^(\d{1,4})([mhd])$/.exec(text) ?? [];
  const milliseconds = Number(count) * (units[unit] ?? NaN);
  return Number.isNaN(milliseconds)
    ? pastTime(text)
    : new Date(Date.now() - milliseconds).toISOString();
}
