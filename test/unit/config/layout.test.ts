import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { embeddedLayout, expectUsableHome } from "../../../src/config/layout.ts";

const longest = join("/run/sockets", `${"x".repeat(30)}.next-9999999.sock`).length;

describe("the folder of the embedded server", () => {
  it("holds everything, and nothing lies outside it", () => {
    const paths = Object.values(embeddedLayout("/srv/reeve")) as string[];

    const outside = paths.filter(
      (path) => path !== "/srv/reeve" && !path.startsWith("/srv/reeve/"),
    );

    expect(outside).toEqual([]);
  });

  it("keeps apart the sockets that nginx, the commands and the front may open", () => {
    const { httpSocket, controlSocket, agentSocket, sockets } = embeddedLayout("/r");

    const folders = [httpSocket, controlSocket, agentSocket].map((path) => join(path, ".."));

    expect(new Set([...folders, sockets]).size).toBe(4);
  });

  it("may be as long as a unix socket's path allows for the longest name: 107 bytes", () => {
    const home = `/${"h".repeat(107 - longest - 1)}`;

    expect(() => expectUsableHome(embeddedLayout(home))).not.toThrow();
  });

  it("is refused when it is one byte longer, with how much is too much", () => {
    const home = `/${"h".repeat(107 - longest)}`;

    expect(() => expectUsableHome(embeddedLayout(home))).toThrow(
      expect.objectContaining({
        code: "PATH_TOO_LONG",
        message: expect.stringContaining(`${home} is longer by 1 than fits`) as string,
      }),
    );
  });

  it.each(["/with blank", "/semi;colon", "/per%cent", "/$dollar", "/ümlaut", "/new\nline"])(
    "is refused where others' configuration could not name it: %j",
    (home) => {
      expect(() => expectUsableHome(embeddedLayout(home))).toThrow(
        expect.objectContaining({ code: "CONFIG_INVALID" }),
      );
    },
  );
});
