import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isAppName, isHostName, moduleName, rootFolder } from "../../../../src/names/names.ts";
import { instancePaths, socketBehind, socketStem } from "../../../../src/names/instance.ts";
import { appOptions } from "../../../../src/config/app-options.ts";
import { embeddedLayout } from "../../../../src/config/layout.ts";
import { permanentVassal, understudyOf } from "../../../../src/names/vassal.ts";
import {
  understudyIni,
  vassalIni,
  type VassalValues,
} from "../../../../src/agent/vassal/vassal-ini.ts";
import { vhostText } from "../../../../src/agent/vhost/vhost.ts";
import { readIni, readNginx, shapeOf } from "../../../support/structures.ts";

function matching(grammar: RegExp, isValid: (text: string) => boolean): fc.Arbitrary<string> {
  return fc.stringMatching(grammar).filter(isValid);
}

const name = matching(/^[a-z][a-z0-9]{0,9}(-[a-z0-9]{1,9}){0,2}$/, isAppName);
const host = matching(
  /^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]([a-z0-9-]{0,10}[a-z0-9])?){0,3}$/,
  isHostName,
);
const module = matching(
  /^[A-Za-z_]\w{0,9}(\.[A-Za-z_]\w{0,9}){0,3}:[A-Za-z_]\w{0,9}$/,
  (text) => moduleName.safeParse(text).success,
);
const root = fc.oneof(
  fc.constant(""),
  matching(/^\w[\w.-]{0,9}(\/\w[\w.-]{0,9}){0,3}$/, (text) => rootFolder.safeParse(text).success),
);
const hash = fc.stringMatching(/^[0-9a-f]{16}$/);
const commit = fc.stringMatching(/^[0-9a-f]{40}$/);
const number = (option: "web_processes" | "grace"): fc.Arbitrary<number> =>
  fc
    .integer({ min: -10, max: 5000 })
    .filter((given) => appOptions[option].schema.safeParse(given).success);

const layout = embeddedLayout("/srv/reeve");
const identity = { user: "reeve-demo", group: "reeve-demo", web: "www-data" };

function valuesOf({
  module,
  ...given
}: Pick<VassalValues, "name" | "root" | "webProcesses" | "grace"> & {
  module: string;
  host: string;
  hash: string;
  branch?: string;
}): VassalValues {
  return {
    ...given,
    process: { type: "web", kind: "wsgi", module },
    url: `http://${given.host}:8080/`,
    release: given.branch === undefined ? undefined : `${given.branch} ${"0".repeat(40)}`,
    sockets: layout.sockets,
    socket: socketStem(given.name) === given.name ? "%n" : socketStem(given.name),
    srv: layout.srv,
    own: layout.apps,
    logs: layout.appLogs,
    environment: `${layout.srv}/${given.name}/envs/${given.hash}`,
    mount: undefined,
    listen: 1024,
    group: { memory: 4096, processes: 512 },
    memory: 0,
    maxProcesses: 0,
    identity,
  };
}

const instance = fc.record({
  name,
  host,
  module,
  root,
  hash,
  webProcesses: number("web_processes"),
  grace: number("grace"),
});
const plain = valuesOf({
  name: "demo",
  host: "demo.localhost",
  module: "app:app",
  root: "",
  hash: "0".repeat(16),
  webProcesses: 2,
  grace: 60,
});
/** `npm run test:names` tries ten times as many. */
const runs = { numRuns: process.env["ROUNDS"] === undefined ? 1000 : 10_000 };

describe("whatever passes the grammars", () => {
  it("changes nothing in the vassal's ini but the values of the same keys", () => {
    const { keys } = readIni(vassalIni(plain));

    fc.assert(
      fc.property(instance, (given) => {
        const ini = readIni(vassalIni(valuesOf(given)));

        expect(ini.keys).toEqual(keys);
        expect(ini.values[keys.indexOf("module")]).toBe(given.module);
        expect(ini.values[keys.indexOf("chdir")]).toBe(
          `${layout.srv}/%n/app${given.root && `/${given.root}`}`,
        );
        expect(ini.values[keys.indexOf("workers")]).toBe(String(given.webProcesses));
        expect(ini.values[keys.indexOf("worker-reload-mercy")]).toBe(String(given.grace));
      }),
      runs,
    );
  });

  it("brings nothing into the ini that uWSGI would read as more than a word", () => {
    const magic = readIni(vassalIni(plain))
      .values.join("\n")
      .match(/[%$@]\W?/g);

    fc.assert(
      fc.property(instance, (given) => {
        const { values } = readIni(vassalIni(valuesOf(given)));

        expect(values.join("\n").match(/[%$@]\W?/g)).toEqual(magic);
      }),
      runs,
    );
  });

  it("changes nothing in the understudy's ini but the values of the same keys", () => {
    const { keys } = readIni(vassalIni(plain));

    fc.assert(
      fc.property(
        instance,
        commit,
        hash,
        fc.nat(10_000_000),
        (given, release, environment, deploy) => {
          const paths = instancePaths(layout, given.name);
          const understudy = {
            ...understudyOf(layout, given.name, deploy),
            name: given.name,
            release: `${paths.releases}/${release}`,
            environment: `${paths.environments}/${environment}`,
          };
          const permanent = {
            ...permanentVassal(layout, given.name),
            name: given.name,
            app: paths.app,
          };

          const ini = readIni(understudyIni(vassalIni(valuesOf(given)), permanent, understudy));

          expect(ini.keys).toEqual(keys);
          expect(ini.values).toMatchObject({
            [keys.indexOf("http-socket")]: understudy.socket,
            [keys.indexOf("chdir")]: `${understudy.release}${given.root && `/${given.root}`}`,
            [keys.indexOf("virtualenv")]: understudy.environment,
            [keys.indexOf("logto2")]: understudy.log,
            [keys.indexOf("module")]: given.module,
          });
        },
      ),
      runs,
    );
  });

  it.each(["$host", "$host:$server_port", "$host$reeve_port"])(
    "changes nothing in the server block but its leaves (with %s)",
    (hostHeader) => {
      const vhost = (given: { name: string; host: string }): string =>
        vhostText({
          name: given.name,
          url: `http://${given.host}/`,
          place: { scheme: "http", host: given.host, path: "/", port: 0 },
          listen: ["127.0.0.1:8080", "[::1]:8080"],
          hostHeader,
          scheme: "$scheme",
          socket: socketBehind(instancePaths(layout, given.name).link),
          anyCookieDomain: false,
          preview: undefined,
          accessLog: instancePaths(layout, given.name).accessLog,
          localPattern: instancePaths(layout, given.name).vhostLocal.replace(/f$/, "[f]"),
        });
      const shape = shapeOf(readNginx(vhost({ name: "demo", host: "demo.localhost" })));

      fc.assert(
        fc.property(name, host, (app, answersAt) => {
          const read = readNginx(vhost({ name: app, host: answersAt }));

          expect(shapeOf(read)).toEqual(shape);
          const block = read[0]?.block ?? [];
          expect(block.find((directive) => directive.name === "server_name")?.words).toEqual([
            answersAt,
          ]);
        }),
        runs,
      );
    },
  );
});

describe("a reader that finds the structure", () => {
  it("would have found what a hostile value brings with it", () => {
    const { keys } = readIni(vassalIni(plain));
    const evil = vassalIni({
      ...plain,
      process: { ...plain.process, module: "app:app\nexec-pre-app = touch /tmp/PWNED" },
    });
    const evilVhost = readNginx("server { server_name x; } server { server_name y; }");

    expect(readIni(evil).keys).not.toEqual(keys);
    expect(shapeOf(evilVhost)).toHaveLength(2);
  });
});
