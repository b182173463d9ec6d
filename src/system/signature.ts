import { createHash } from "node:crypto";

/**
 * Files that reeve writes for others to read say so in their first lines, with a checksum of the text. A
 * file whose checksum is not its own was edited by hand and is left alone.
 */
const placeholder = "reeve (unsigned)";
const signed = /reeve \(([0-9a-f]{12})\)/;

/** The text with its checksum in the place that the template left for it. */
export function sign(text: string): string {
  return text.replace(placeholder, () => `reeve (${checksum(text)})`);
}

/** The text changed by reeve itself: as untouched, or as edited by somebody, as it was before. */
export function changed(text: string, change: (text: string) => string): string {
  if (!isUntouched(text)) return change(text);
  return sign(change(text.replace(signed, () => placeholder)));
}

/** Whether reeve wrote the text and nobody has changed it since. */
export function isUntouched(text: string): boolean {
  const found = signed.exec(text)?.[1];
  return found !== undefined && checksum(text.replace(signed, () => placeholder)) === found;
}

function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}
