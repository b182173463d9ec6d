import { describe, expect, it } from "vitest";
import { readConfig } from "../../../src/config/config.ts";
import { hostAt, visitedAt } from "../../../src/config/visited.ts";
import { temporaryFolder, writeFiles } from "../../support/unit-folder.ts";

function readOptions(...lines: string[]) {
  const home = temporaryFolder();
  writeFiles(home, { "etc/server.toml": `${lines.join("\n")}\n` });
  return readConfig({ home }, {}).server;
}

const domain = 'domain = "example.org"';
const behind = 'trusted_proxies = "192.0.2.7 10.0.0.0/8 2001:db8::/64"';

describe("how visitors come to the server", () => {
  it.each([
    [[], { scheme: "http", port: 8080 }, "x:8080"],
    [["port = 80"], { scheme: "http", port: 80 }, "x"],
    [[domain, 'public_url = "http://example.org"'], { scheme: "http", port: 80 }, "x"],
    [[domain, behind, 'public_url = "https://example.org/"'], { scheme: "https", port: 443 }, "x"],
    [
      [domain, behind, 'public_url = "https://example.org:8443"'],
      { scheme: "https", port: 8443 },
      "x:8443",
    ],
    [
      [domain, behind, 'public_url = "http://example.org:443"'],
      { scheme: "http", port: 443 },
      "x:443",
    ],
  ])("%j: %j, where a browser says the host %s", (lines, visited, host) => {
    const found = visitedAt(readOptions(...lines));

    expect(found).toEqual(visited);
    expect(hostAt("x", found)).toBe(host);
  });

  it.each([
    [
      [domain, behind],
      /server\.toml: trusted_proxies .* public_url is empty: say at which address/,
    ],
    [
      [domain, 'public_url = "https://example.org"'],
      /begins with https.*say who does TLS in front/,
    ],
    [['public_url = "http://example.org"'], /has the host example\.org, and domain is localhost/],
  ])("is refused where the options contradict each other: %j", (lines, words) => {
    expect(() => readOptions(...lines)).toThrow(
      expect.objectContaining({
        code: "CONFIG_INVALID",
        message: expect.stringMatching(words) as string,
      }),
    );
  });
});
