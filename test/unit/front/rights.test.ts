import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { embeddedLayout } from "../../../src/config/layout.ts";
import { administrator, Rights } from "../../../src/front/rights.ts";
import { readToken } from "../../../src/front/token.ts";
import { temporaryFolder } from "../../support/unit-folder.ts";

const token = "Zm9vYmFyLW5vdC1hLXJlYWwtdG9rZW4";
const rights = new Rights(token);

function basic(words: string | Buffer): string {
  return `Basic ${Buffer.from(words).toString("base64")}`;
}

describe("who somebody is", () => {
  // threats A3
  it.each([
    ["the scheme as git writes it", `Basic ${Buffer.from(`admin:${token}`).toString("base64")}`],
    ["the scheme in lower case", basic(`admin:${token}`).replace("Basic", "basic")],
    ["several blanks", basic(`admin:${token}`).replace(" ", "   ")],
    ["another user's name: the token is what counts", basic(`ada:${token}`)],
    ["no user's name", basic(`:${token}`)],
    ["a name that every object has", basic(`__proto__:${token}`)],
  ])("is proven by the token, with %s", (_, authorization) => {
    expect(rights.identify(authorization)).toBe(administrator);
  });

  it.each([
    ["no header", undefined],
    ["an empty header", ""],
    ["the scheme alone", "Basic"],
    ["the scheme and a blank", "Basic "],
    ["what is not base64", "Basic %%%"],
    ["base64 of URLs", `${basic(`admin:${token}`)}_-`],
    ["1 MB", `Basic ${"A".repeat(1_000_000)}`],
    ["the token after a long name", basic(`${"a".repeat(5000)}:${token}`)],
    ["a tab for the blank", basic(`admin:${token}`).replace(" ", "\t")],
    ["a line break after it", `${basic(`admin:${token}`)}\n`],
    ["two of them in one", `${basic(`admin:${token}`)}, ${basic(`admin:${token}`)}`],
    // A4: other schemes
    ["a bearer's token", `Bearer ${token}`],
    ["a digest", `Digest username="admin", response="${token}"`],
    ["a negotiation", "Negotiate YII="],
    ["the token alone", token],
    // A5: odd words
    ["a wrong token", basic("admin:wrong")],
    ["an empty token", basic("admin:")],
    ["no colon", basic(token)],
    ["the token as the name", basic(`${token}:`)],
    ["more than the token", basic(`admin:${token}x`)],
    ["less than the token", basic(`admin:${token.slice(1)}`)],
    ["the token in other capitals", basic(`admin:${token.toLowerCase()}`)],
    ["the token behind another colon", basic(`admin:x:${token}`)],
    ["the token with a blank", basic(`admin: ${token}`)],
    ["the token with a line break", basic(`admin:${token}\r\n`)],
    ["the token with a zero byte", basic(`admin:${token}\0`)],
    ["bytes that are no UTF-8", basic(Buffer.from([0x61, 0x3a, 0xff, 0xfe]))],
    ["a name that every object has", basic("__proto__:constructor")],
    ["another one", basic("toString:toString")],
  ])("is not proven by %s", (_, authorization) => {
    expect(rights.identify(authorization)).toBeUndefined();
  });
});

describe("what somebody may do", () => {
  it.each(["read", "push", "create", "administer"] as const)(
    "as the administrator: %s",
    (action) => {
      expect(rights.may(administrator, action, "demo")).toBe(true);
    },
  );

  it("is nothing for an account that only calls itself the administrator", () => {
    expect(rights.may({ name: "admin" }, "push", "demo")).toBe(false);
  });
});

describe("the administrator's token", () => {
  function frontState() {
    const layout = embeddedLayout(temporaryFolder());
    mkdirSync(layout.frontState, { recursive: true });
    return layout;
  }

  it("is made once, by chance, and stays", async () => {
    const layout = frontState();

    const made = await readToken(layout);

    expect(await readToken(layout)).toBe(made);
    expect(made).toMatch(/^[A-Za-z0-9_-]{32}$/);
    expect(await readToken(frontState())).not.toBe(made);
  });

  it("is its owner's to read, and needs no escape in an address", async () => {
    const layout = frontState();

    const made = await readToken(layout);

    const path = join(layout.frontState, "token");
    expect(existsSync(path)).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(new URL(`http://admin:${made}@git.localhost/`).password).toBe(made);
  });
});
