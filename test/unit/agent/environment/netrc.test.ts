import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { netrcOf, withoutUser } from "../../../../src/agent/environment/netrc.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";

const none = { index: "", extraIndex: "", proxy: "", caFile: "" };
const read = "import json, netrc, sys; print(json.dumps(netrc.netrc(sys.argv[1]).hosts))";

/** What Python, and so pip, reads of it: login and password by host. */
function hosts(text = ""): Record<string, [string, string, string]> {
  const path = join(temporaryFolder(), ".netrc");
  writeFileSync(path, text);
  return JSON.parse(
    execFileSync("/usr/bin/python3", ["-c", read, path], { encoding: "utf8" }),
  ) as Record<string, [string, string, string]>;
}

describe("the addresses of package indexes", () => {
  it.each([
    ["https://u:secret@pypi.example.org/simple", "https://pypi.example.org/simple"],
    ["https://u:a@b@pypi.example.org:8443/simple/", "https://pypi.example.org:8443/simple/"],
    ["https://token@pypi.example.org", "https://pypi.example.org"],
    ["https://pypi.example.org/@scope/simple", "https://pypi.example.org/@scope/simple"],
    ["", ""],
  ])("%s is %s without its user", (address, without) => {
    expect(withoutUser(address)).toBe(without);
  });

  it("leave no file where they hold no credentials", () => {
    expect(netrcOf(none)).toBeUndefined();
    expect(netrcOf({ ...none, index: "https://pypi.org/@/simple" })).toBeUndefined();
  });

  it.each([
    ["u", "secret"],
    ["u", 'a b"c\\d#e'],
    ["ada@example.org", "ü%/?:@"],
    ["token", ""],
  ])("hand Python the user %s and the password %j", (user, password) => {
    const [name, secret] = [user, password].map(encodeURIComponent);
    const index = `https://${name ?? ""}:${secret ?? ""}@pypi.example.org:8443/simple`;

    const [login, , found] = hosts(netrcOf({ ...none, index }))["pypi.example.org"] ?? [];

    expect([login, found]).toEqual([user, password]);
  });

  it("hand on the first index's where both are at one host", () => {
    const index = "https://one:first@pypi.example.org/simple";
    const extraIndex = "https://two:second@pypi.example.org/more";

    expect(hosts(netrcOf({ ...none, index, extraIndex }))["pypi.example.org"]).toEqual([
      "one",
      "",
      "first",
    ]);
  });
});
