const credentials = /(\/\/)[^/\s]+@/g;

/** A text as it may be shown: who is named in an address in it is not, nor with which password. */
export function withoutCredentials(text: string): string {
  return text.replace(credentials, "$1***@").replace(/\S+/g, withoutUnescaped);
}

/** A password with a `/` that nobody has escaped ends an address's host for a parser: what should be a port is none. */
function withoutUnescaped(word: string): string {
  const [start, end] = [word.indexOf("//") + 2, word.lastIndexOf("@")];
  if (start < 2 || end < start) return word;
  const [, port = ""] = /^[^/:]*:([^/]*)/.exec(word.slice(start, end)) ?? [];
  return /^\d*$/.test(port) ? word : `${word.slice(0, start)}***${word.slice(end)}`;
}
