import { describe, expect, it } from "vitest";
import { UserError } from "../../../../src/errors.ts";
import { expectFetchable, parseModules } from "../../../../src/agent/release/modules.ts";

const hosts = ["github.com", "git.example.org:8443"];

function judge(address: string): unknown {
  try {
    return expectFetchable("lib", { name: "my lib", address }, hosts);
  } catch (error) {
    return error;
  }
}

describe("the address of a submodule", () => {
  it.each([
    ["https://github.com/a/b.git", "https://github.com/a/b.git", "github.com"],
    ["https://GitHub.com:443/a/b", "https://github.com/a/b", "github.com"],
    [
      "HTTPS://git.example.org:8443/~a/b%20c",
      "https://git.example.org:8443/~a/b%20c",
      "git.example.org:8443",
    ],
  ])("is git's where the server allows its host: %s", (address, url, host) => {
    expect(judge(address)).toEqual({ url, host });
  });

  it.each([
    "https://git.example.org/a/b",
    "https://github.com.example.org/a/b",
    "https://a.github.com/a/b",
    "https://github.com:8443/a/b",
    "https://127.0.0.1/a/b",
    "https://-x/a",
  ])("is refused with the administrator's line where it is another host: %s", (address) => {
    const host = new URL(address).host;
    expect(judge(address)).toMatchObject({
      code: "SUBMODULE_REFUSED",
      hint: expect.stringContaining(
        `submodule_hosts = "github.com git.example.org:8443 ${host}"`,
      ) as string,
    });
  });

  const better = "git config -f .gitmodules 'submodule.my lib.url'";
  it.each([
    ["git@github.com:a/b.git", "https://github.com/a/b.git"],
    ["github.com:a/b.git", "https://github.com/a/b.git"],
    ["ssh://git@github.com:22/a/b.git", "https://github.com/a/b.git"],
    ["git+ssh://git@github.com/a/b.git", "https://github.com/a/b.git"],
    ["git://github.com/a/b.git", "https://github.com/a/b.git"],
    ["http://github.com/a/b.git", "https://github.com/a/b.git"],
    ["../b.git", "https://HOST/PATH"],
    ["./b.git", "https://HOST/PATH"],
    ["..", "https://HOST/PATH"],
    ["/srv/b.git", "https://HOST/PATH"],
    ["file:///srv/b.git", "https://HOST/PATH"],
    ["ext::sh -c id", "https://HOST/PATH"],
    ["https://ada:secret@github.com/a/b", "https://github.com/a/b"],
    ["https://ada@github.com/a/b", "https://github.com/a/b"],
    ["https://github.com/a/b?x=1", "https://HOST/PATH"],
    ["https://github.com/a b", "https://HOST/PATH"],
    ["https://github.com/a\nb", "https://HOST/PATH"],
    ["https://github.com@evil.org/a", "https://evil.org/a"],
    ["ssh://git@github.com/a/b?x=1", "https://HOST/PATH"],
    ["https://github.com\\@evil.org/a", "https://HOST/PATH"],
    ["https://[::1]/a", "https://HOST/PATH"],
    ["https://github.com", "https://HOST/PATH"],
    [`https://github.com/${"a".repeat(1000)}`, "https://HOST/PATH"],
    ["--upload-pack=id", "https://HOST/PATH"],
    ["", "https://HOST/PATH"],
  ])("is refused with the line that names a better one: %j", (address, url) => {
    const error = judge(address);
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({
      code: "SUBMODULE_REFUSED",
      hint: `Name it by https, commit, and push again: ${better} ${url}`,
    });
  });
});

describe("what git reads of .gitmodules", () => {
  it("is an address for each folder, under whatever name", () => {
    const output =
      "submodule.a.b.path\nvendor/x/\0submodule.a.b.url\nhttps://x\0submodule.y.path\ny\0submodule.z.url\nu\0";
    expect(parseModules(output)).toEqual(
      new Map([["vendor/x", { name: "a.b", address: "https://x" }]]),
    );
  });

  it.each(["", "\0", "x", "submodule.\n", "\n\0", "submodule..path\n\0submodule..url\n\0"])(
    "may be anything: %j",
    (output) => {
      expect(() => parseModules(output)).not.toThrow();
    },
  );
});
