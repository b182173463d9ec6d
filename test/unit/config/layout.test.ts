import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { embeddedLayout, expectRoomForSockets } from "../../../src/config/layout.ts";

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

    expect(() => expectRoomForSockets(embeddedLayout(home))).not.toThrow();
  });

  it("is refused when it is one byte longer, with how much is too much", () => {
    const home = `/${"h".repeat(107 - longest)}`;

    expect(() => expectRoomForSockets(embeddedLayout(home))).toThrow(
      expect.objectContaining({
        code: "PATH_TOO_LONG",
        message: expect.stringContaining(`${home} is 1 byte`) as string,
      }),
    );
  });

  it("is measured in bytes, not in letters", () => {
    const home = `/${"ä".repeat(107 - longest - 1)}`;

    expect(() => expectRoomForSockets(embeddedLayout(home))).toThrow(
      expect.objectContaining({ code: "PATH_TOO_LONG" }),
    );
  });
});
