import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { instancePaths, socketBehind, type Place } from "../../src/names/instance.ts";
import { appOptions, type AppOptions } from "../../src/config/app-options.ts";
import { embeddedLayout } from "../../src/config/layout.ts";
import { serverOptions } from "../../src/config/server-options.ts";
import { ControlGroups } from "../../src/system/control-groups.ts";
import type { DeployContext } from "../../src/agent/world/context.ts";
import { iniOf, planIni } from "../../src/agent/instance/inis.ts";
import { settledVassal } from "../../src/agent/instance/vassals.ts";
import { placesOf } from "../../src/agent/preview/host-path-port.ts";
import { choosePreviewName } from "../../src/agent/preview/slug.ts";
import { expectVariablesChange } from "../../src/agent/variables/variables.ts";
import type { Deploy } from "../../src/agent/store/deploys.ts";
import { vhostText } from "../../src/agent/vhost/vhost.ts";
import { plainApp } from "../support/apps.ts";
import { allEvilBranches } from "../support/evil-names.ts";
import { readNginx, shapeOf } from "../support/structures.ts";
import { withServer } from "../support/with-server.ts";
import type { Workspace } from "../support/workspace.ts";

const commit = "3f2a91c0123456789abcdef0123456789abcdef0";

/** Of the last two git takes only one: a folder cannot be a file. */
const hostile = [...allEvilBranches, "$(touch${IFS}/tmp/PWNED)", "d", "d/f"];

describe("branches with every name that git takes", () => {
  const server = withServer();
  let demo: Workspace;

  beforeAll(async () => {
    for (const app of ["demo", "other"]) {
      demo = await server.workspace(app, plainApp(app));
      await demo.push();
    }
    demo = await server.workspace("demo", plainApp("demo"));
    await demo.push("+main");
    await server.reeve("options", "demo", "set", "preview_limit=100");
    rmSync("/tmp/PWNED", { force: true });
  });

  it("are each on the air under a host of their own, or refused in one line", async () => {
    const push = await demo.push(...hostile.map((name) => `main:refs/heads/${name}`));

    const listed = await server.json<{ branch: string; preview: string }[]>("previews", "demo");
    const onAir = new Map(listed.map(({ branch, preview }) => [branch, preview]));
    const refused = hostile.filter((name) => !onAir.has(name));
    expect(refused, push.output).toEqual([expect.stringMatching(/^d(\/f)?$/)]);
    expect(push.output).toContain(`refs/heads/${refused[0] ?? ""}`);
    expect(new Set(onAir.values()).size).toBe(onAir.size);
    for (const preview of onAir.values()) {
      expect(preview).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*--demo$/);
      expect(preview.length).toBeLessThanOrEqual(63);
      expect((await server.get(preview)).body).toBe("demo");
    }
    expect(existsSync("/tmp/PWNED")).toBe(false);
  });

  it("take nothing from production, from another app or from reeve", async () => {
    expect((await server.get("demo")).body).toBe("demo");
    expect((await server.get("other")).body).toBe("other");
    expect((await server.get("www")).status).toBe(404);
    expect((await demo.push(":main")).output).toContain("error[PRODUCTION_DELETE]");
    demo.write(plainApp("after"));
    await demo.commit("after");
    const push = await demo.push();
    expect(push.exitCode, push.output).toBe(0);
    expect((await server.get("demo")).body).toBe("after");
  });

  it("keep their hosts from an app whose options name one of them", async () => {
    const set = await server.reeve("options", "other", "set", "host=git--demo.localhost");

    expect(set.output).toContain("error[PLACE_TAKEN]: git--demo.localhost/ belongs to git--demo");
    expect((await server.get("git--demo")).body).toBe("demo");
  });

  it("are removed one and all by a push of their ends", async () => {
    const listed = await server.json<{ branch: string }[]>("previews", "demo");

    const push = await demo.push(...listed.map(({ branch }) => `:refs/heads/${branch}`));

    expect(push.exitCode, push.output).toBe(0);
    expect(await server.json("previews", "demo")).toEqual([]);
  });
});

const folder = mkdtempSync(join(tmpdir(), "reeve-names-"));
const layout = embeddedLayout(folder);
const appUser = { name: "reeve-demo-preview", uid: 1, gid: 1 };
const defaults = (table: object): never =>
  Object.fromEntries(
    Object.entries(table).map(([name, { default: value }]: [string, { default: unknown }]) => [
      name,
      value,
    ]),
  ) as never;
const options: AppOptions = defaults(appOptions);
const context = {
  config: { layout, server: defaults(serverOptions) },
  store: { users: { appUser: () => appUser } },
  system: { isRoot: true },
  groups: new ControlGroups(),
  listen: 1024,
} as unknown as DeployContext;

/** Names and values of variables that reeve takes, with words among them that an ini would act on. */
const assignment = fc
  .tuple(
    fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,40}$/),
    fc.oneof(
      fc.constantFrom(
        ...hostile,
        "x\nexec-asap = id",
        "@(exec://id)",
        "%(socket)",
        "[uwsgi]\nini = x",
      ),
      fc.string({ unit: "binary", minLength: 1, maxLength: 60 }),
      fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }),
    ),
  )
  .filter(([name, value]) => {
    try {
      return Boolean(expectVariablesChange({ set: { [name]: value }, unset: [] }));
    } catch {
      return false;
    }
  });

interface Generated {
  branch: string;
  name: string;
  place: Place;
  ini: string;
  vhost: string;
}

async function generate(
  app: string,
  branch: string,
  { taken, preview_host }: { taken: Set<string>; preview_host: string },
): Promise<Generated> {
  const name = choosePreviewName(app, branch, (known) => taken.has(known));
  taken.add(name);
  const places = placesOf(name, "example.org", { preview_host, preview_ports: "" });
  const place = places.find(({ host, path }) => !taken.has(host + path)) as Place;
  taken.add(place.host + place.path);
  const instance = { name, app, branch, place };
  const deploy = {
    instance: name,
    number: 7,
    newCommit: commit,
    environment: "0123456789abcdef",
    processes: [{ type: "web", kind: "wsgi", module: "app:app" }],
  } as Deploy;
  const { text } = await planIni(context, { instance, deploy, options });
  const paths = instancePaths(layout, name);
  return {
    branch,
    name,
    place,
    ini: iniOf(context, settledVassal(context, deploy), { deploy, options, text }),
    vhost: vhostText({
      ...{ name, place, url: `http://${place.host}/`, socket: socketBehind(paths.link) },
      hostHeader: "$host:$server_port",
      scheme: "$scheme",
      listen: ["127.0.0.1:8080"],
      anyCookieDomain: false,
      preview: { passwords: paths.passwords },
      accessLog: paths.accessLog,
      localPattern: paths.vhostLocal.replace(/f$/, "[f]"),
    }),
  };
}

/** `npm run test:names` tries ten times as many. */
const count = process.env["ROUNDS"] === undefined ? 1000 : 10_000;

describe.each([
  ["at a host each", "", "server_name", "module"],
  ["below a path of one host", "preview.intranet", "location", "mount"],
] as const)(`${count} generated branches, %s`, (_, preview_host, directive, runs) => {
  const branch = fc.oneof(
    fc.constantFrom(...hostile),
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 244 }),
    fc.string({ unit: "binary", minLength: 1, maxLength: 60 }),
    fc
      .tuple(fc.constantFrom(...hostile), fc.string({ unit: "grapheme", maxLength: 20 }))
      .map((words) => words.join("/")),
    fc.stringMatching(/^[a-z]{2,9}[/_-][A-Za-z0-9._-]{1,40}$/),
  );
  const app = fc.constantFrom("demo", "a", "my-shop", "x".repeat(30));
  let generated: Generated[];

  beforeAll(async () => {
    const taken = new Set<string>();
    generated = [await generate("demo", "plain", { taken, preview_host })];
    for (const [owner, name] of fc.sample(fc.tuple(app, branch), { numRuns: count, seed: 4 }))
      generated.push(await generate(owner, name, { taken, preview_host }));
    mkdirSync(folder, { recursive: true });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("are to uWSGI the same keys in the same order, each with the values that were meant", () => {
    const variables = fc.sample(assignment, { numRuns: generated.length, seed: 5 });
    const files = generated.map(({ name, ini }, index) => {
      const file = join(folder, `${name}.rel-7.ini`);
      writeFileSync(file, ini);
      // uWSGI reads the variables while it reads the ini.
      const own = instancePaths(layout, name).variables;
      mkdirSync(own, { recursive: true });
      const [variable, value] = variables[index] as [string, string];
      writeFileSync(join(own, variable), value);
      return file;
    });
    const read: string[][] = [];
    for (let at = 0; at < files.length; at += 250)
      read.push(...showConfig(files.slice(at, at + 250)));

    expect(read).toHaveLength(generated.length);
    const keys = (lines: string[]): string[] => lines.map((line) => line.split(" = ")[0] ?? "");
    const expected = keys(read[0] ?? []);
    expect(expected).toContain("add-header");
    read.forEach((lines, index) => {
      const { name, place } = generated[index] as Generated;
      expect(lines).toContain(
        runs === "mount" ? `mount = ${place.path.slice(0, -1)}=app:app` : "module = app:app",
      );
      expect(keys(lines)).toEqual(expected);
      expect(lines).toContain("http-socket = fd://0");
      expect(lines).toContain(`chdir = ${layout.srv}/${name}/releases/${commit}`);
      expect(lines).toContain(`logto2 = ${layout.appLogs}/${name}.log`);
    });
  });

  it("are to nginx as many blocks, each the same but for its leaves", () => {
    const sites = join(folder, "sites.conf");
    mkdirSync(layout.appLogs, { recursive: true });
    const texts = generated.map(({ vhost }) => vhost).join("\n");
    writeFileSync(sites, directive === "location" ? `server {\n${texts}\n}\n` : texts);
    const main = join(folder, "nginx.conf");
    writeFileSync(
      main,
      `pid ${folder}/nginx.pid; error_log ${folder}/error.log; events {} http { access_log off;
       server_names_hash_bucket_size 256; server_names_hash_max_size 131072; log_format reeve ''; include ${sites}; }`,
    );

    const output = execFileSync("nginx", ["-p", folder, "-c", main, "-T", "-q"], {
      maxBuffer: 256 * 1024 * 1024,
    }).toString();

    const servers = readNginx(output).filter(({ name }) => name === "server");
    const blocks = directive === "location" ? (servers[0]?.block ?? []) : servers;
    expect(blocks).toHaveLength(generated.length);
    const shape = JSON.stringify(shapeOf(blocks.slice(0, 1)));
    blocks.forEach((block, index) => {
      expect(JSON.stringify(shapeOf([block]))).toBe(shape);
      const { host, path } = generated[index]?.place as Place;
      const named = [block, ...(block.block ?? [])].find(({ name }) => name === directive);
      expect(named?.words).toEqual([directive === "location" ? path : host]);
    });
    const places = new Set(generated.map(({ place: { host, path } }) => host + path));
    expect(places.size).toBe(generated.length);
  });
});

/** What uWSGI itself makes of inis: for each its lines, in their order. */
function showConfig(files: string[]): string[][] {
  const output = execFileSync(
    "sh",
    // It goes on to start, in a folder that is not there; what it has read it has said by then.
    [
      "-c",
      'uwsgi-core --show-config --no-server "$@" 2>&1 || true',
      "sh",
      ...files.flatMap((file) => ["--ini", file]),
    ],
    { maxBuffer: 64 * 1024 * 1024 },
  ).toString();
  const lines = output
    .slice(output.indexOf("[uwsgi]\n"), output.indexOf(";end of configuration"))
    .split("\n");
  const read: string[][] = [];
  for (const line of lines) {
    if (line.startsWith("ini = ")) read.push([]);
    else if (line !== "" && line !== "[uwsgi]") read.at(-1)?.push(line);
  }
  return read;
}
