import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { LineSplitter, printable } from "../../../src/system/lines.ts";

function split(chunks: (string | Buffer)[], longest = 4096): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line), longest);
  for (const chunk of chunks) splitter.write(Buffer.from(chunk));
  splitter.end();
  return lines;
}

describe("cutting a stream into lines", () => {
  it.each([
    ["nothing", [], []],
    ["one line", ["a\n"], ["a"]],
    ["a line without an end", ["a\nb"], ["a", "b"]],
    ["empty lines", ["\n\na\n"], ["", "", "a"]],
    ["a line in pieces", ["a", "b", "c\nd"], ["abc", "d"]],
    ["a break that comes alone", ["a", "\n", "b\n"], ["a", "b"]],
    ["several lines at once", ["a\nb\nc\n"], ["a", "b", "c"]],
  ])("gives %s", (_, chunks, lines) => {
    expect(split(chunks)).toEqual(lines);
  });

  it("keeps a letter whole whose bytes come apart", () => {
    const bytes = Buffer.from("Grüße, 世界 😀\n");

    for (let at = 1; at < bytes.length; at += 1) {
      expect(split([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(["Grüße, 世界 😀"]);
    }
  });

  it("gives a line at once when it is complete, not at the stream's end", () => {
    const lines: string[] = [];
    const splitter = new LineSplitter((line) => lines.push(line), 4096);

    splitter.write(Buffer.from("done\nnot yet"));

    expect(lines).toEqual(["done"]);
  });

  it("holds no more of a line than it may be long, however much comes", () => {
    const chunk = "x".repeat(100_000);

    const lines = split([...Array.from({ length: 100 }, () => chunk), "\nnext\n"], 10);

    expect(lines).toEqual(["x".repeat(10), "next"]);
  });

  it("cuts a long line that never ends", () => {
    expect(split(["x".repeat(5000)])).toEqual(["x".repeat(4096)]);
  });

  it("listens to a stream by itself", () => {
    const stream = new PassThrough();
    const lines: string[] = [];

    LineSplitter.of(stream, (line) => lines.push(line));
    stream.emit("data", Buffer.from("a\nb\n"));

    expect(lines).toEqual(["a", "b"]);
  });
});

// threats B14
describe("words of others on a terminal", () => {
  it.each([
    ["plain words and tabs", "a\tb ü 世 😀", "a\tb ü 世 😀"],
    ["line breaks", "a\nb", "a\nb"],
    ["colours", "\u001b[1;31mred\u001b[0m", "red"],
    ["movements of the cursor", "a\u001b[2K\u001b[1Ab\u001b[?25l", "ab"],
    ["a title", "\u001b]0;you were had\u0007ok", "ok"],
    ["the clipboard", "\u001b]52;c;cm0gLXJm\u001b\\ok", "ok"],
    ["a link", "\u001b]8;;http://evil\u0007here\u001b]8;;\u0007", "here"],
    ["a title without an end", "a\u001b]0;x", "a"],
    ["an overwritten line", "error\rall is well", "errorall is well"],
    ["a zero byte", "a\0b", "ab"],
    ["backspaces", "ab\b\bcd", "abcd"],
    ["a bell", "a\u0007", "a"],
    ["a delete", "a\u007f", "a"],
    ["controls of eight bits", "a\u009b31mb\u0085c", "a31mbc"],
    ["a lone escape", "\u001bc", "c"],
    ["changes of direction", "a\u202eb\u202cc\u2066d\u2069e\u200ef\u200f", "abcdef"],
  ])("keep or lose %s", (_, words, shown) => {
    expect(printable(words)).toBe(shown);
  });

  it("hold no control character but tab and line break, whatever was in them", () => {
    const all = Array.from({ length: 0xa0 }, (_, code) => String.fromCharCode(code)).join("x");

    const kept = printable(all).match(/\p{Cc}/gu);

    expect(kept).toEqual(["\t", "\n"]);
  });
});
