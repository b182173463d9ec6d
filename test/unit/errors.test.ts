import { describe, expect, it } from "vitest";
import {
  asUserError,
  describeError,
  errorCodes,
  hasCode,
  isErrorCode,
  tellsNoSpace,
  UserError,
} from "../../src/errors.ts";

describe("the catalogue of errors", () => {
  it.each(errorCodes)("gives %s an exit code that is no success and a next step", (code) => {
    const error = new UserError(code, "what happened");

    expect(error.exitCode).toBeGreaterThan(0);
    expect(error.exitCode).toBeLessThan(126);
    expect(error.hint).toMatch(/\S/);
    expect(error.hint).not.toContain("\n");
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
  });

  it.each([
    ["2 for what was typed or configured wrongly", "CONFIG_INVALID", 2],
    ["3 for a server that does not run", "SERVER_DOWN", 3],
    ["70 for a mistake of reeve's own", "INTERNAL", 70],
    ["1 for everything else", "APP_UNHEALTHY", 1],
  ] as const)("keeps %s", (_, code, exit) => {
    expect(new UserError(code, "").exitCode).toBe(exit);
  });

  it("knows its own codes and no others", () => {
    expect(errorCodes.every(isErrorCode)).toBe(true);
    for (const word of ["", "internal", "NOSUCH", "constructor", "__proto__", "toString"])
      expect(isErrorCode(word)).toBe(false);
  });
});

describe("an error as it is said", () => {
  it("is two lines: what happened, and the next step", () => {
    expect(describeError(new UserError("APP_UNKNOWN", "there is no app shop"))).toEqual([
      "error[APP_UNKNOWN]: there is no app shop",
      "hint: See `reeve apps`, or make it with `reeve create APP`.",
    ]);
  });

  it("sets the words of others below, further in, so that none of them looks like reeve's", () => {
    const error = new UserError("APP_UNHEALTHY", "the app did not start\nhint: all is well", {
      hint: "Mend it.",
    });

    expect(describeError(error)).toEqual([
      "error[APP_UNHEALTHY]: the app did not start",
      "  hint: all is well",
      "hint: Mend it.",
    ]);
  });

  it("never holds a stack", () => {
    const cause = new Error("the cause");

    const lines = describeError(new UserError("INTERNAL", "oh", { cause }));

    expect(lines.join("\n")).not.toContain("at ");
    expect(lines.join("\n")).not.toContain("the cause");
  });

  it("quotes what somebody else wrote without what a terminal would act on", () => {
    const name = "\u001b[31mde\u202emo\u0007";

    expect(describeError(new UserError("SSH_REFUSED", `"${name}" is nothing`))[0]).toBe(
      'error[SSH_REFUSED]: "demo" is nothing',
    );
  });
});

describe("a code that is looked for", () => {
  const absent = Object.assign(new Error("no entry"), { code: "ENOENT" });

  it("is found of the catalogue and of the operating system, one or several", () => {
    expect(hasCode(new UserError("NGINX_DOWN", "x"), "NGINX_DOWN")).toBe(true);
    expect(hasCode(absent, "ENOENT")).toBe(true);
    expect(hasCode(absent, "ESRCH", "ENOENT")).toBe(true);
  });

  it.each([
    ["an error of another code", new UserError("EMPEROR_DOWN", "x")],
    ["a system's error", absent],
    ["an error without one", new Error("NGINX_DOWN")],
    ["no error", { code: "NGINX_DOWN" }],
    ["a word", "NGINX_DOWN"],
    ["nothing", undefined],
  ])("is none of %s", (_, thrown) => {
    expect(hasCode(thrown, "NGINX_DOWN", "ESRCH")).toBe(false);
  });

  it("is not that of what caused the error", () => {
    expect(hasCode(new UserError("NO_SPACE", "x", { cause: absent }), "ENOENT")).toBe(false);
  });
});

describe("any error", () => {
  it("that is somebody's to mend stays as it is", () => {
    const error = new UserError("PLACE_TAKEN", "x");

    expect(asUserError(error)).toBe(error);
  });

  it.each(["ENOSPC", "EDQUOT"])("of %s is a full disk, with the path", (code) => {
    const error = Object.assign(new Error("write failed"), { code, path: "/srv/demo/x" });

    expect(asUserError(error)).toMatchObject({
      code: "NO_SPACE",
      message: "no space left on the disk at /srv/demo/x",
      cause: error,
    });
  });

  it.each([
    ["tar: app.py: Cannot write: No space left on device", true],
    ["OSError: [Errno 122] Disk quota exceeded", true],
    ["OSError: [Errno 13] Permission denied", false],
    ["", false],
  ])("that a tool tells in words is a full disk where they say so: %s", (output, isFull) => {
    expect(tellsNoSpace(output)).toBe(isFull);
  });

  it("of a full disk without a path says no more than it knows", () => {
    const error = Object.assign(new Error("write failed"), { code: "ENOSPC" });

    expect(asUserError(error).message).toBe("no space left on the disk");
  });

  it.each([
    ["an error", new TypeError("x is not a function"), "x is not a function"],
    ["a system's error", Object.assign(new Error("no entry"), { code: "ENOENT" }), "no entry"],
    ["a word", "a word", "a word"],
    ["a number", 7, "7"],
  ])("else is a mistake of reeve's: %s", (_, thrown, message) => {
    expect(asUserError(thrown)).toMatchObject({ code: "INTERNAL", message, cause: thrown });
  });
});
