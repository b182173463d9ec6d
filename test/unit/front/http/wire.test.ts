import { describe, expect, it } from "vitest";
import { UserError } from "../../../../src/errors.ts";
import { expectUnread, type Wire } from "../../../../src/front/http/wire.ts";

const strict = { plainHttp: false, url: "" };

function refusalOf(wire: Partial<Wire>, rule = strict): UserError | undefined {
  try {
    expectUnread({ address: undefined, scheme: "http", hasCredentials: false, ...wire }, rule);
    return undefined;
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
}

describe("a request that somebody on the way could have read", () => {
  it.each(["203.0.113.9", "10.0.0.1", "128.0.0.1", "2001:db8::1", "::2", "127.0.0.1.example", ""])(
    "is refused from %j",
    (address) => {
      expect(refusalOf({ address })?.code).toBe("PLAIN_HTTP");
    },
  );

  it("is refused where nothing is said of where it comes from, or of how", () => {
    expect(refusalOf({})?.code).toBe("PLAIN_HTTP");
    expect(refusalOf({ scheme: undefined })?.code).toBe("PLAIN_HTTP");
    expect(refusalOf({ scheme: "https, http" })?.code).toBe("PLAIN_HTTP");
  });

  it.each(["127.0.0.1", "127.0.0.3", "127.255.255.254", "::1"])("is none from %s", (address) => {
    expect(refusalOf({ address })).toBeUndefined();
  });

  it("is none over https, nor where plain HTTP is allowed", () => {
    expect(refusalOf({ address: "203.0.113.9", scheme: "https" })).toBeUndefined();
    expect(refusalOf({ address: "203.0.113.9" }, { ...strict, plainHttp: true })).toBeUndefined();
  });

  it("is told where to push in place of that, and that a token was seen", () => {
    const address = "203.0.113.9";
    const url = "https://example.org/";

    expect(refusalOf({ address })?.hint).toMatch(/^Push over SSH/);
    expect(refusalOf({ address }, { plainHttp: false, url })?.hint).toMatch(
      /^Push to https:\/\/example\.org\/git\/APP\.git\. .*plain_http = true/,
    );
    expect(refusalOf({ address, hasCredentials: true })?.hint).toMatch(
      /^The token that was sent is to be replaced/,
    );
  });
});
