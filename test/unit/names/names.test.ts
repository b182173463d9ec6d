import { describe, expect, it } from "vitest";
import {
  accountName,
  appName,
  branchName,
  commitId,
  expectAccountName,
  expectAppName,
  isAppName,
  isHostName,
  moduleName,
  reservedVariable,
  rootFolder,
  variableNameGrammar,
  shortCommit,
} from "../../../src/names/names.ts";
import { evilAppNames, keptNames } from "../../support/evil-names.ts";

describe("the name of an app", () => {
  it.each(["a", "shop", "my-shop", "shop2", "a-1-b", "x".repeat(30)])("may be %j", (name) => {
    expect(expectAppName(name)).toBe(name);
    expect(appName.safeParse(name).success).toBe(true);
  });

  it.each([
    ["nothing", ""],
    ["a capital", "Shop"],
    ["a digit first", "2shop"],
    ["a hyphen first", "-shop"],
    ["a hyphen last", "shop-"],
    ["two hyphens, which are reeve's own", "new--shop"],
    ["an internationalised label", "xn--shp-jna"],
    ["a dot, which is reeve's own", "shop.dev"],
    ["an underscore", "my_shop"],
    ["git's ending", "a.git"],
    ["a zero byte", "a\0b"],
    ["a line break", "a\nb"],
    ["a line break at the end", "a\n"],
    ["a carriage return", "a\r"],
    ["a slash at the end", "foo/"],
    ...Object.values(evilAppNames).flat(),
  ])("may not have %s", (_, name) => {
    expect(isAppName(name)).toBe(false);
    expect(appName.safeParse(name).success).toBe(false);
    expect(() => expectAppName(name)).toThrow(
      expect.objectContaining({ code: "APP_NAME_INVALID" }),
    );
  });

  it.each(keptNames)("may not be %j, which is kept for something else", (name) => {
    expect(() => expectAppName(name)).toThrow(/is a name that reeve keeps for itself/);
  });

  it("is shown quoted and cut where it is refused, so that it cannot speak for reeve", () => {
    expect(() => expectAppName(`\u001b[2J${"x".repeat(4096)}`)).toThrow(
      `"\\u001b[2J${"x".repeat(56)}" cannot be the name of an app`,
    );
  });
});

describe("the name of an account", () => {
  it.each(["a", "ada", "ada.lovelace", "ci_bot-2", "x".repeat(30)])("may be %j", (name) => {
    expect(expectAccountName(name)).toBe(name);
    expect(accountName.safeParse(name).success).toBe(true);
  });

  it.each([
    "",
    "Ada",
    "1ada",
    "-ada",
    "--help",
    "ada-",
    "a..b",
    "a/b",
    "a b",
    "a\nb",
    "ada\n",
    "ada\0",
    "ada:x",
    "ädä",
    "__proto__",
    "x".repeat(31),
  ])("cannot be %j", (name) => {
    expect(() => expectAccountName(name)).toThrow(
      expect.objectContaining({ code: "ACCOUNT_NAME_INVALID" }),
    );
    expect(accountName.safeParse(name).success).toBe(false);
  });
});

describe("the name of a host", () => {
  it.each(["demo.localhost", "demo.example.org", "a.b.c", "new-cart--demo.example.org", "1a.org"])(
    "may be %j",
    (name) => expect(isHostName(name)).toBe(true),
  );

  it.each([
    ["nothing", ""],
    ["a blank", " "],
    ["the end of a server block", "x.com; } server {"],
    ["a line break", "x.com\n}"],
    ["a line break at the end", "x.com\n"],
    ["a brace", "{"],
    ["a closing brace", "}"],
    ["a double quote", '"'],
    ["two double quotes", '""'],
    ["a quote", "'"],
    ["a backslash", "\\"],
    ["a comment", "#"],
    ["a variable", "$host"],
    ["a pattern", "~.*"],
    ["every host below", "*.x.com"],
    ["every host below, in short", ".x.com"],
    ["the host of no name", "_"],
    ["an empty label", "a..b"],
    ["a hyphen first", "-a.com"],
    ["a hyphen last", "a-.com"],
    ["a label of 64 characters", `${"a".repeat(64)}.com`],
    ["254 characters", `${"a.".repeat(126)}com`.slice(0, 254)],
    ["a dot at the end", "x.com."],
    ["an address", "127.0.0.1"],
    ["an address in brackets", "[::1]"],
    ["a number", "2130706433"],
    ["a port", "x.com:80"],
    ["a capital", "X.com"],
    ["a letter outside ASCII", "b\u00fccher.de"],
    ["a path", "x.com/y"],
  ])("may not have %s", (_, name) => {
    expect(isHostName(name)).toBe(false);
  });
});

describe("a module", () => {
  it.each(["app:app", "wsgi:application", "config.wsgi:application", "_a.b_1:c"])(
    "may be %j",
    (name) => expect(moduleName.safeParse(name).success).toBe(true),
  );

  it.each([
    ["no callable", "app"],
    ["an empty callable", "app:"],
    ["no module", ":app"],
    ["a path", "/etc/passwd"],
    ["a way up", "../x.py"],
    ["a blank", "a b:c"],
    ["a call", "app:make()"],
    ["an attribute of the callable", "app:a.b"],
    ["an empty part", "a..b:c"],
    ["a digit first", "1a:b"],
    ["a line break", "app:app\nexec-pre-app = id"],
    ["a line break at the end", "app:app\n"],
    ["uWSGI's include", "@(exec://id):app"],
    ["uWSGI's magic", "%n:app"],
    ["a variable", "$(PATH):app"],
    ["10 KB", `${"a".repeat(10_000)}:app`],
    ["letters outside ASCII", "\u00e4pp:app"],
  ])("may not have %s", (_, name) => {
    expect(moduleName.safeParse(name).success).toBe(false);
  });
});

describe("the folder that an app runs in", () => {
  it.each(["", "backend", "services/api", "_a/b.c-d", "Backend2"])("may be %j", (folder) => {
    expect(rootFolder.safeParse(folder).success).toBe(true);
  });

  it.each([
    ["a way up", ".."],
    ["a way up in it", "a/../b"],
    ["itself", "."],
    ["the root of the disk", "/etc"],
    ["a slash at the end", "a/"],
    ["an empty part", "a//b"],
    ["git's own", ".git"],
    ["a hyphen first", "-x"],
    ["a blank", "a b"],
    ["a line break at the end", "a\n"],
    ["uWSGI's magic", "%n"],
    ["uWSGI's include", "@(exec://id)"],
    ["a variable", "$(PATH)"],
    ["letters outside ASCII", "\u00e4pp"],
    ["10 KB", "a".repeat(10_000)],
  ])("may not have %s", (_, folder) => {
    expect(rootFolder.safeParse(folder).success).toBe(false);
  });
});

describe("the branch that an option names", () => {
  it.each(["main", "master", "release/2.0", "feature-x", "v1.0", "a_b"])("may be %j", (name) => {
    expect(branchName.safeParse(name).success).toBe(true);
  });

  it.each([
    "",
    "-rf",
    "--upload-pack=x",
    "$(id)",
    "`id`",
    "a;id",
    "a'b",
    'a"b',
    "{a}",
    "a}b",
    "%n%p",
    "@(/etc/passwd)",
    "%(socket)",
    "@",
    "a@{1}",
    "a..b",
    "a//b",
    "/a",
    "a/",
    "a.",
    ".a",
    "a/.b",
    "a.lock",
    "a.lock/b",
    "a b",
    "a\n",
    "a~1",
    "a^",
    "a:b",
    "a*",
    "caf\u00e9",
    "x".repeat(101),
    "x".repeat(244),
  ])("may not be %j", (name) => {
    expect(branchName.safeParse(name).success).toBe(false);
  });
});

describe("the name of a variable", () => {
  it.each(["DEBUG", "database_url", "_X", "A1"])("may be %j", (name) => {
    expect(variableNameGrammar.test(name)).toBe(true);
    expect(reservedVariable.test(name)).toBe(false);
  });

  it.each(["", "1A", "A-B", "A.B", "A=B", "A B", "A\n", "../A", "\u00c4", "A".repeat(129)])(
    "may not be %j",
    (name) => expect(variableNameGrammar.test(name)).toBe(false),
  );

  it.each(["UWSGI_FILE", "REEVE_DATA", "GIT_DIR", "LD_PRELOAD", "PATH", "HOME", "PYTHONHOME"])(
    "may not be %j, on which uWSGI, git, the linker or reeve would act",
    (name) => {
      expect(reservedVariable.test(name)).toBe(true);
    },
  );

  it.each(["MY_PATH", "PATHS", "PYTHONPATH", "UWSGI", "HOMEPAGE"])(
    "may be %j, which only looks like one of those",
    (name) => expect(reservedVariable.test(name)).toBe(false),
  );
});

describe("a commit", () => {
  const commit = "3f2a91c0123456789abcdef0123456789abcdef0";

  it("is 40 digits, and people see the first seven", () => {
    expect(commitId.safeParse(commit).success).toBe(true);
    expect(shortCommit(commit)).toBe("3f2a91c");
  });

  it.each(["", "3f2a91c", commit.toUpperCase(), `${commit}0`, `${commit}\n`, "HEAD", "main"])(
    "is not %j",
    (text) => expect(commitId.safeParse(text).success).toBe(false),
  );
});
