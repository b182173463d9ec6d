import type { PackageSources } from "./package-sources.ts";

const userInfo = /^([a-z]+:\/\/)[^/?#]*@/i;

/** The address as it may stand in an argument: pip hands it on as one to each pip that it starts for a build. */
export function withoutUser(address: string): string {
  return address.replace(userInfo, "$1");
}

/**
 * The file `.netrc` in which pip finds the credentials instead, one line for each host; undefined where there are
 * none. The first index comes last, because of two lines for one host the later one counts.
 */
export function netrcOf({ index, extraIndex }: PackageSources): string | undefined {
  const lines = [extraIndex, index].filter((address) => userInfo.test(address)).map(netrcLine);
  return lines.length === 0 ? undefined : lines.join("");
}

function netrcLine(address: string): string {
  const { hostname, username, password } = new URL(address);
  const [login, secret] = [username, password].map((text) => quoted(decoded(text)));
  return `machine ${hostname} login ${login ?? ""} password ${secret ?? ""}\n`;
}

/** As in the address, where a per cent sign in it begins no letter. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** netrc.py of Python takes anything in quotes but these two, which a backslash keeps. */
function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
}
