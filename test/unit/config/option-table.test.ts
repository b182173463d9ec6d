import { describe, expect, it } from "vitest";
import { z } from "zod";
import { appOptions } from "../../../src/config/app-options.ts";
import {
  offered,
  readOptions,
  starterFile,
  withOption,
  type OptionTable,
} from "../../../src/config/option-table.ts";
import { serverOptions } from "../../../src/config/server-options.ts";
import { UserError } from "../../../src/errors.ts";

const table = {
  domain: { schema: z.string().min(1), default: "localhost", sentence: "Where apps answer." },
  port: { schema: z.int().min(1).max(65535), default: 8080, sentence: "Where nginx listens." },
  create: { schema: z.boolean(), default: true, sentence: "Whether a push creates." },
};

function read(text: string, overrides: Record<string, { text: string; from: string }> = {}) {
  return readOptions(table, { path: "server.toml", text, code: "CONFIG_INVALID", overrides });
}

function problemsOf(work: () => unknown): string[] {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as UserError).message.split("\n");
  }
  return [];
}

describe("reading options", () => {
  it("takes the defaults where the file says nothing", () => {
    expect(read("")).toEqual({ domain: "localhost", port: 8080, create: true });
  });

  it("takes what the file says, and gives values that nobody can change", () => {
    const values = read('domain = "example.org"\nport = 80\ncreate = false\n');

    expect(values).toEqual({ domain: "example.org", port: 80, create: false });
    expect(Object.isFrozen(values)).toBe(true);
  });

  it("lets a word from elsewhere win over the file, with the type that fits", () => {
    const values = read('domain = "file.org"\nport = 1\n', {
      port: { text: "81", from: "--port" },
      create: { text: "false", from: "the variable REEVE_CREATE" },
      domain: { text: "123", from: "the variable REEVE_DOMAIN" },
    });

    expect(values).toEqual({ domain: "123", port: 81, create: false });
  });

  it("names every problem at once, each with its place", () => {
    const text = 'domain = ""\nport = "many"\ncolour = 1\nshape = 2\n';

    const problems = problemsOf(() => read(text, { create: { text: "yes", from: "--create" } }));

    expect(problems).toEqual([
      "server.toml: colour: there is no such option",
      "server.toml: shape: there is no such option",
      expect.stringMatching(/^server\.toml: domain: "" /),
      expect.stringMatching(/^server\.toml: port: "many" /),
      expect.stringMatching(/^--create: "yes" /),
    ]);
  });

  it.each(["80x", "0", "65536", "-1", "8.5", "1e3", " 80", ""])(
    "refuses %j as a port and says where it came from",
    (text) => {
      const problems = problemsOf(() => read("", { port: { text, from: "--port" } }));

      expect(problems).toEqual([expect.stringContaining(`--port: ${JSON.stringify(text)} `)]);
    },
  );

  it("names the line of a file that is not TOML", () => {
    const problems = problemsOf(() => read('domain = "a"\nport = = 80\n'));

    expect(problems).toEqual([expect.stringMatching(/^server\.toml:2: /)]);
  });

  it.each(["__proto__ = 1", "constructor = 1", "toString = 1", "[port]\nx = 1", "[[domain]]"])(
    "refuses %j, which is no option's value",
    (text) => expect(problemsOf(() => read(text))).toHaveLength(1),
  );

  it("names the new name of an option that is called by a former one", () => {
    const source = { path: "demo.toml", code: "OPTION_INVALID" } as const;
    const text = "workers = 2\nprocesses = 100\n";

    expect(problemsOf(() => readOptions(appOptions, { ...source, text }))).toEqual([
      "demo.toml: workers: is called web_processes now",
      "demo.toml: processes: is called max_processes now",
    ]);
  });

  it("says what is wrong with the code of the file it reads", () => {
    const source = { path: "demo.toml", text: "nosuch = 1", code: "OPTION_INVALID" } as const;

    expect(() => readOptions(appOptions, source)).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID" }),
    );
  });
});

describe.each<[string, OptionTable]>([
  ["of the server", serverOptions],
  ["of an app", appOptions],
])("the file that is first written %s", (_, options) => {
  const text = starterFile(options, "What this is.");

  it("says what it is, then names every option with its sentence, switched off", () => {
    const lines = text.split("\n").filter((line) => line !== "");

    expect(lines[0]).toBe("# What this is.");
    expect(lines.slice(1)).toEqual(
      Object.entries(offered(options)).flatMap(([name, option]) => [
        `# ${option.sentence}`,
        `# ${name} = ${JSON.stringify(option.default)}`,
      ]),
    );
  });

  it("means the defaults, as it is and with every option switched on", () => {
    const defaults = Object.fromEntries(
      Object.entries(options).map(([name, option]) => [name, option.default]),
    );
    const on = text.replace(/^# (\w+ = )/gm, "$1");

    for (const words of [text, on]) {
      expect(readOptions(options, { path: "x.toml", text: words, code: "CONFIG_INVALID" })).toEqual(
        defaults,
      );
    }
  });
});

describe("an option that is for tests alone", () => {
  const ofBoth = { ...table, pause: { ...table.port, forTests: true as const } };
  const source = { path: "server.toml", code: "CONFIG_INVALID" } as const;

  it("is offered nowhere, and refused in a file as any other word", () => {
    expect(Object.keys(offered(ofBoth))).toEqual(["domain", "port", "create"]);
    expect(starterFile(ofBoth, "What this is.")).toBe(starterFile(table, "What this is."));
    expect(problemsOf(() => readOptions(ofBoth, { ...source, text: "pause = 1\n" }))).toEqual([
      "server.toml: pause: there is no such option",
    ]);
  });

  it("has its value by its variable alone", () => {
    const overrides = { pause: { text: "1", from: "the variable REEVE_PAUSE" } };

    expect(readOptions(ofBoth, { ...source, text: "" }).pause).toBe(8080);
    expect(readOptions(ofBoth, { ...source, text: "", overrides }).pause).toBe(1);
  });
});

describe("changing one option in a file", () => {
  const starter = starterFile(appOptions, "Demo.");

  it("switches it on where it stands, and changes no other line", () => {
    const changed = withOption(appOptions, starter, "web_processes", "4");

    expect(changed.split("\n").filter((line, at) => line !== starter.split("\n")[at])).toEqual([
      "web_processes = 4",
    ]);
    expect(changed.split("\n")).toHaveLength(starter.split("\n").length);
    expect(
      readOptions(appOptions, { path: "x", text: changed, code: "OPTION_INVALID" }).web_processes,
    ).toBe(4);
  });

  it("changes the line that is on, not the one that is switched off above it", () => {
    const text = "# web_processes = 2\n# My own words.\n  web_processes=3\ngrace = 5\n";

    expect(withOption(appOptions, text, "web_processes", "8")).toBe(
      "# web_processes = 2\n# My own words.\nweb_processes = 8\ngrace = 5\n",
    );
  });

  it("adds the line where the file has none", () => {
    expect(withOption(appOptions, "", "web_processes", "4")).toBe("web_processes = 4\n");
    expect(withOption(appOptions, "grace = 5", "web_processes", "4")).toBe(
      "grace = 5\nweb_processes = 4\n",
    );
  });

  it("changes the line that has the option's former name, on or switched off", () => {
    expect(withOption(appOptions, "# workers = 2\n", "web_processes", "4")).toBe(
      "web_processes = 4\n",
    );
    expect(withOption(appOptions, "# workers = 2\nworkers = 3\n", "web_processes", "4")).toBe(
      "# workers = 2\nweb_processes = 4\n",
    );
  });

  it("keeps the line breaks of another system", () => {
    const text = "web_processes = 2\r\ngrace = 5\r\n";

    expect(withOption(appOptions, text, "web_processes", "4")).toBe(
      "web_processes = 4\r\ngrace = 5\r\n",
    );
  });

  it("takes every character of a value to the letter", () => {
    const path = "/up?a=$&b=$1";

    const changed = withOption(appOptions, starter, "health_path", path);

    expect(changed).toContain(`health_path = "${path}"\n`);
  });

  it.each([
    ["nosuch", "1", /there is no option "nosuch"/],
    ["constructor", "1", /there is no option "constructor"/],
    ["workers", "2", /there is no option "workers": it is called web_processes now$/],
    ["processes", "2", /there is no option "processes": it is called max_processes now$/],
    ["web_processes", "0", /^web_processes: "0" /],
    ["web_processes", "many", /^web_processes: "many" /],
    ["host", "x.com; } server {", /is not a host name/],
    ["production_branch", "--upload-pack=x", /is not a branch name/],
    ["health_path", "up", /is not a path/],
    ["health_path", "/\r\nHost: x", /is not a path/],
  ])("refuses %s=%s", (name, value, message) => {
    expect(() => withOption(appOptions, starter, name, value)).toThrow(
      expect.objectContaining({
        code: "OPTION_INVALID",
        message: expect.stringMatching(message) as string,
      }),
    );
  });
});

describe("preview_settings, as preview_variables was called once", () => {
  const text = '# Demo.\npreview_settings = "own"\ngrace = 4\n';
  const source = { path: "demo.toml", text, code: "OPTION_INVALID" } as const;

  it("is told its present name, in a file and by command", () => {
    const told = "preview_settings: is called preview_variables now";

    expect(problemsOf(() => readOptions(appOptions, source))).toEqual([`demo.toml: ${told}`]);
    expect(() => withOption(appOptions, "", "preview_settings", "app")).toThrow(
      "it is called preview_variables now",
    );
  });

  it("makes room for it where that is set", () => {
    expect(withOption(appOptions, text, "preview_variables", "app")).toBe(
      text.replace('preview_settings = "own"', 'preview_variables = "app"'),
    );
  });
});
