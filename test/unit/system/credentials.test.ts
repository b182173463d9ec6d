import { describe, expect, it } from "vitest";
import { withoutCredentials } from "../../../src/system/credentials.ts";

describe("credentials", () => {
  it.each([
    [
      "Looking in indexes: https://u:secret@pypi.example.org/simple",
      "https://***@pypi.example.org",
    ],
    ["https://token@pypi.example.org/simple", "https://***@pypi.example.org/simple"],
    ["git+ssh://git@example.org/x", "git+ssh://***@example.org/x"],
    [
      "http://u:s%40x@proxy:3128 and https://v:t@other/",
      "http://***@proxy:3128 and https://***@other/",
    ],
    // As uv says it, which takes what is before the first / for a host and a port.
    [
      "invalid port number: x @ git+https://u:my/secret@localhost:9/x.git",
      "x @ git+https://***@localhost:9/x.git",
    ],
    ["https://u:my/secret@localhost/simple, and more", "https://***@localhost/simple, and more"],
  ])("do not stand in what is shown of %j", (text, shown) => {
    expect(withoutCredentials(text)).toContain(shown);
    expect(withoutCredentials(text)).not.toMatch(/secret|token|s%40x|v:t/);
  });

  it.each([
    "https://pypi.example.org/simple",
    "mail ada@example.org",
    "a // b @ c",
    "git+https://localhost:9/x/y.git@v1",
  ])("are not looked for where there are none: %j", (text) =>
    expect(withoutCredentials(text)).toBe(text),
  );
});
