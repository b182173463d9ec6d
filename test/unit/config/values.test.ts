import { describe, expect, it } from "vitest";
import { appOptions } from "../../../src/config/app-options.ts";
import { readOptions, withOption, type OptionTable } from "../../../src/config/option-table.ts";
import { serverOptions } from "../../../src/config/server-options.ts";

/** Fits no option: each has to say what it takes. */
const everywhere = ["\n", "a\u0000b", "\u001b[2J"];
const whole = (least: number, most: number): string[] => [
  ...["", "x", "1.5", "1e3", " 1", "0x10", "NaN", "-1", "true"],
  ...[String(least - 1), String(most + 1)],
];
const truth = ["", "yes", "1", "True"];
const host = ["-x.example", "a..b", "A.example", "a_b", "127.0.0.1", "a.example:80", "a.example/x"];
const hosts = [...host, "*.example.org", `${"x".repeat(64)}.org`, "x.".repeat(120)];
const user = ["", "0", "Root", "a b", "x".repeat(32), "-x", "a:b"];
const index = [
  ...["localhost", "/simple", "ftp://a.example/", "javascript:1", "https://", "http://a b/"],
  ...["http://a.example/\nPIP_TRUSTED_HOST=x", " http://a.example/", "https://\u00e4.example/"],
];
const proxy = ["ftp://a.example/", "http://", "http://a b", "http://a\tb:1", "-x", "file:///x"];
const path = ["relative", "/", "/a b", "/folder/", "~/x"];

const ofApps: Record<keyof typeof appOptions, string[]> = {
  production_branch: ["", "-x", "a..b", "a b", ".x", "x.lock", "x/", "a@{1}", "x".repeat(101), "*"],
  root: ["/backend", "..", "a/../b", "backend/", ".git", "a//b", "a b/\n", "-x"],
  host: hosts,
  previews: ["", " all", "a  b", "feature/?", "[ab]", "a,b", "x".repeat(501)],
  preview_host: hosts,
  preview_ports: ["9000", "9000-", "80-90", "9099-9000", "9000-70000", "9000 - 9099", "0-1"],
  preview_variables: ["", "App", "both"],
  preview_limit: whole(0, 10_000),
  preview_days: whole(1, 3650),
  preview_idle: whole(1, 86_400),
  preview_password: ["with blank", "x".repeat(101), "p\u00e4ss", "a\tb"],
  web_processes: whole(1, 64),
  memory: whole(0, 1_048_576),
  max_processes: whole(0, 100_000),
  health_path: ["", "up", "/a b", "/#x", "/\u00e4", `/${"x".repeat(501)}`, "http://a.example/"],
  health_status: [...whole(0, 599), "1", "99"],
  health_deadline: whole(1, 3600),
  overlap: truth,
  submodules: truth,
  grace: whole(1, 3600),
  cookie_domain: ["", "Own", "none", "own "],
  build_variables: ["1A", "A-B", "A=b", "A,B", "$A", "PATH B=c"],
  installer: ["UV", "conda", "uv pip", " uv"],
};

const ofServers: Record<keyof typeof serverOptions, string[]> = {
  domain: ["", ...hosts, `${"x".repeat(60)}.`.repeat(3) + "x".repeat(10)],
  listen: [
    "",
    "Loopback",
    "loopback all",
    "localhost",
    "0.0.0.0",
    "127.0.0.1:80",
    "::1%lo",
    "[::1]",
  ],
  port: whole(1, 65_535),
  plain_http: truth,
  public_url: [
    ...["example.org", "ftp://example.org", "https://", "https://a b", "https://-x.example"],
    ...[
      "https://example.org/x",
      "https://u:p@example.org",
      "https://example.org:0",
      "https://a.example:70000",
    ],
    ...["http://127.0.0.1", "https://example.org;", "https://EXAMPLE.org"],
  ],
  trusted_proxies: [
    "localhost",
    " ",
    "10.0.0.0/0",
    "10.0.0.0/33",
    "::/0",
    "::/129",
    "10.0.0",
    "fe80::1%lo",
    "10.0.0.1;",
    "unix:",
  ],
  ssh_port: whole(0, 65_535),
  connections: whole(256, 500_000),
  create_on_push: truth,
  kept_releases: whole(1, 100),
  apps_each: whole(0, 100_000),
  audit_days: whole(1, 36_500),
  preview_limit: whole(0, 100_000),
  preview_days: whole(1, 3650),
  push_limit: whole(1, 100_000),
  release_files: whole(1, 10_000_000),
  release_size: whole(1, 1_048_576),
  git_memory: whole(64, 1_048_576),
  git_seconds: whole(1, 86_400),
  git_sessions: whole(1, 10_000),
  git_sessions_each: whole(1, 10_000),
  builds: whole(1, 64),
  build_deadline: whole(1, 86_400),
  build_memory: whole(64, 1_048_576),
  build_address_space: whole(64, 16_777_216),
  build_processes: whole(16, 100_000),
  build_file_size: whole(1, 1_048_576),
  build_cache: whole(0, 1_048_576),
  build_open_files: whole(64, 1_048_576),
  restart_pause: whole(1, 60_000),
  drain: whole(0, 60_000),
  package_index: index,
  package_extra_index: index,
  package_proxy: proxy,
  package_ca_file: path,
  submodule_hosts: [
    ...[...host.slice(0, 5), "a.example/x", "https://a.example", "a.example:0", "a.example:65536"],
    ...[
      "a.example,b.example",
      "*",
      "ada@a.example",
      "[::1]",
      "a.example\tb.example",
      "x ".repeat(1001),
    ],
  ],
  submodule_ca_file: path,
  python: ["", ...path],
  front_user: user,
  first_user_id: whole(1000, 59_000),
  web_user: user,
};

const tables: [whose: string, table: OptionTable, bad: Record<string, string[]>][] = [
  ["an app's", appOptions, ofApps],
  ["the server's", serverOptions, ofServers],
];

describe.each(tables)("a value of %s option", (_, table, bad) => {
  it("has its bad ones in the table, whatever option is added", () => {
    expect(Object.keys(bad).sort()).toEqual(Object.keys(table).sort());
  });

  const cases = Object.keys(table).flatMap((name) =>
    [...(bad[name] ?? []), ...everywhere].map((value): [string, string] => [name, value]),
  );

  it.each(cases)("is judged when it is set: %s = %j", (name, value) => {
    expect(() => withOption(table, "", name, value)).toThrow(new RegExp(`^${name}: `));
  });

  it("is taken where it is the default, or one of these", () => {
    const good = { package_index: "https://ada:x@a.example/simple", package_proxy: "proxy:3128" };
    for (const [name, { default: value }] of Object.entries(table))
      expect(() => withOption(table, "", name, String(value))).not.toThrow();
    for (const [name, value] of Object.entries(good))
      if (name in table) expect(withOption(table, "", name, value)).toContain(value);
    expect(readOptions(table, { path: "x", text: "", code: "OPTION_INVALID" })).toMatchObject({});
  });
});
