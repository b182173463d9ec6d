import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { embeddedLayout } from "../../../../src/config/layout.ts";
import {
  Credentials,
  makeToken,
  parseAuthorization,
} from "../../../../src/front/accounts/credentials.ts";
import { readToken } from "../../../../src/front/accounts/token.ts";
import { FrontStore } from "../../../../src/front/store/store.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";

const token = "Zm9vYmFyLW5vdC1hLXJlYWwtdG9rZW4";

function setUp() {
  const store = new FrontStore(join(temporaryFolder(), "front.db"));
  onTestFinished(() => store.close());
  store.accounts.add("ada", false);
  return { store, credentials: new Credentials(store, token) };
}

function basic(words: string | Buffer): string {
  return `Basic ${Buffer.from(words).toString("base64")}`;
}

function identify(credentials: Credentials, authorization: string | undefined) {
  const given = parseAuthorization(authorization);
  return given && credentials.byToken(given);
}

describe("the administrator", () => {
  it.each([
    ["the scheme as git writes it", `Basic ${Buffer.from(`admin:${token}`).toString("base64")}`],
    ["the scheme in lower case", basic(`admin:${token}`).replace("Basic", "basic")],
    ["several blanks", basic(`admin:${token}`).replace(" ", "   ")],
    ["another user's name: the token is what counts", basic(`ada:${token}`)],
    ["no user's name", basic(`:${token}`)],
    ["a name that every object has", basic(`__proto__:${token}`)],
  ])("A3: is proven by the token, with %s", (_, authorization) => {
    expect(identify(setUp().credentials, authorization)).toEqual({
      account: "admin",
      via: "http",
      proof: "administrator",
    });
  });

  it.each([
    ["no header", undefined],
    ["an empty header", ""],
    ["A3: the scheme alone", "Basic"],
    ["A3: the scheme and a blank", "Basic "],
    ["A3: what is not base64", "Basic %%%"],
    ["A3: base64 of URLs", `${basic(`admin:${token}`)}_-`],
    ["A3: 1 MB", `Basic ${"A".repeat(1_000_000)}`],
    ["A3: the token after a long name", basic(`${"a".repeat(5000)}:${token}`)],
    ["A3: a tab for the blank", basic(`admin:${token}`).replace(" ", "\t")],
    ["A3: a line break after it", `${basic(`admin:${token}`)}\n`],
    ["A3: two of them in one", `${basic(`admin:${token}`)}, ${basic(`admin:${token}`)}`],
    ["A4: a bearer's token", `Bearer ${token}`],
    ["A4: a digest", `Digest username="admin", response="${token}"`],
    ["A4: a negotiation", "Negotiate YII="],
    ["A4: the token alone", token],
    ["A5: a wrong token", basic("admin:wrong")],
    ["A5: an empty token", basic("admin:")],
    ["A5: no colon", basic(token)],
    ["A5: the token as the name", basic(`${token}:`)],
    ["A5: more than the token", basic(`admin:${token}x`)],
    ["A5: less than the token", basic(`admin:${token.slice(1)}`)],
    ["A5: the token in other capitals", basic(`admin:${token.toLowerCase()}`)],
    ["A5: the token behind another colon", basic(`admin:x:${token}`)],
    ["A5: the token with a blank", basic(`admin: ${token}`)],
    ["A5: the token with a line break", basic(`admin:${token}\r\n`)],
    ["A5: the token with a zero byte", basic(`admin:${token}\0`)],
    ["A5: bytes that are no UTF-8", basic(Buffer.from([0x61, 0x3a, 0xff, 0xfe]))],
    ["A5: a name that every object has", basic("__proto__:constructor")],
    ["A5: another one", basic("toString:toString")],
  ])("is not proven by %s", (_, authorization) => {
    expect(identify(setUp().credentials, authorization)).toBeUndefined();
  });
});

describe("a token", () => {
  it("proves its account, whatever name is given with it, until it is taken back", () => {
    const { store, credentials } = setUp();
    const made = makeToken();
    const id = store.tokens.add({
      account: "ada",
      digest: made.digest,
      note: null,
      expiresAt: null,
    });

    const found = identify(credentials, basic(`somebody:${made.token}`));
    store.tokens.remove(id);

    expect(found).toEqual({ account: "ada", via: "http", proof: { token: id } });
    expect(identify(credentials, basic(`somebody:${made.token}`))).toBeUndefined();
  });

  it("is worth nothing once its time is over", () => {
    const { store, credentials } = setUp();
    const made = makeToken();
    const expiresAt = new Date(Date.now() + 60_000).toISOString();
    store.tokens.add({ account: "ada", digest: made.digest, note: null, expiresAt });
    expect(identify(credentials, basic(`ada:${made.token}`))).toBeDefined();

    vi.useFakeTimers({ now: Date.now() + 61_000, toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());

    expect(identify(credentials, basic(`ada:${made.token}`))).toBeUndefined();
  });

  it("has 256 bits of chance, is kept as its hash, and shows when it was last used", () => {
    const { store, credentials } = setUp();
    const made = makeToken();
    store.tokens.add({ account: "ada", digest: made.digest, note: "laptop", expiresAt: null });
    expect(store.tokens.all("ada")).toMatchObject([{ note: "laptop", usedAt: null }]);

    identify(credentials, basic(`ada:${made.token}`));

    expect(made.token).toMatch(/^reeve_[A-Za-z0-9_-]{43}$/);
    expect(makeToken().token).not.toBe(made.token);
    expect(made.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.stringify(store.tokens.all())).not.toContain(made.token);
    expect(store.tokens.all("ada")[0]?.usedAt).toMatch(/^2/);
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
