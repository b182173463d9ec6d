import {
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { instancePaths, socketBehind } from "../../src/names/instance.ts";
import { isAppName, isHostName, moduleName, previewName } from "../../src/names/names.ts";
import { embeddedLayout } from "../../src/config/layout.ts";
import { choosePreviewName } from "../../src/agent/preview/slug.ts";
import { vassalIni } from "../../src/agent/vassal/vassal-ini.ts";
import { vhostText } from "../../src/agent/vhost/vhost.ts";
import { evaluatingApp, plainApp } from "../support/apps.ts";
import { readIni, readNginx, shapeOf } from "../support/structures.ts";
import { Visitors } from "../support/visitors.ts";
import { catalogue } from "./catalogue.ts";
import { isLong } from "./oracle.ts";
import { head, sendRaw } from "./raw.ts";
import { byWays, some, type SceneNow } from "./scene.ts";

catalogue("configurations", configurationCases);

/** What an ini, or nginx, would read as more than a word. */
const words = {
  I1: [
    "x\nexec-pre-app = touch CANARY",
    "x\r\nexec-pre-app = touch CANARY",
    "x\rexec-asap = id",
    "x\u2028y = z",
  ],
  I2: [
    "@(exec://touch CANARY)",
    "@(/etc/shadow)",
    "@(http://127.0.0.1/)",
    "@(sym://environ)",
    "@(fd://0)",
  ],
  I3: ["$(SECRET)", "%(socket)", "%n %p %d %u %U %0", "%%", "${HOME}", "`id`", "$(id)"],
  I4: ["]", "[emperor]", ";x", "#x", "a=b", " x", '"x"', "'x'", "\\x"],
} as const;

const layout = embeddedLayout("/srv/reeve");
const runs = { numRuns: isLong ? 10_000 : 500 };

function iniOf({ name = "demo", host = "demo.localhost", module = "app:app" }): string {
  return vassalIni({
    name,
    process: { type: "web", kind: "wsgi", module },
    root: "",
    url: `http://${host}:8080/`,
    release: undefined,
    sockets: layout.sockets,
    socket: "%n",
    srv: layout.srv,
    own: layout.apps,
    logs: layout.appLogs,
    environment: `${layout.srv}/${name}/envs/${"0".repeat(16)}`,
    webProcesses: 2,
    listen: 100,
    mount: undefined,
    group: { memory: 4096, processes: 512 },
    memory: 0,
    maxProcesses: 0,
    grace: 60,
    identity: { user: "reeve-demo", group: "reeve-demo", web: "www-data" },
  });
}

function vhostOf(name: string, host: string): string {
  return vhostText({
    name,
    url: `http://${host}/`,
    place: { scheme: "http", host, path: "/", port: 0 },
    listen: ["127.0.0.1:8080"],
    hostHeader: "$host:$server_port",
    scheme: "$scheme",
    socket: socketBehind(instancePaths(layout, "demo").link),
    anyCookieDomain: false,
    preview: undefined,
    accessLog: instancePaths(layout, "demo").accessLog,
    localPattern: instancePaths(layout, "demo").vhostLocal.replace(/f$/, "[f]"),
  });
}

/** Words of every kind, and those that a configuration would trip over. */
const anything = fc.oneof(
  fc.constantFrom(...Object.values(words).flat()),
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.string({ unit: "grapheme-ascii", maxLength: 40 }),
  fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/),
  fc.stringMatching(/^[a-z0-9-]{1,8}(\.[a-z0-9-]{1,8}){0,3}$/),
  fc.stringMatching(/^[A-Za-z_.]{1,12}:[A-Za-z_]{1,8}$/),
);

/** What uWSGI and nginx are told, and by whom. */
function configurationCases(scene: SceneNow): void {
  const filled = (text: string): string => text.replace("CANARY", scene().oracle.canary);

  it.each(byWays(Object.entries(words).map(([number, list]) => [number, some([...list], 1)])))(
    "%s: %j are no module, no host and no path, over %s",
    async (number, list, via) => {
      const { demo, server, admin } = scene();
      const before = scene().main;
      for (const text of list.map(filled)) {
        const options = ["host", "health_path", "production_branch"].map(
          (option) => `${option}=${text}`,
        );
        const asked = options.map((assignment) =>
          via === "http"
            ? server.reeve("options", "demo", "set", assignment)
            : admin.ssh.run(`options demo set '${assignment.replaceAll("'", "'\\''")}'`),
        );
        const answers = await Promise.all(asked);
        for (const { exitCode, output } of answers)
          expect([1, 2], `${text} ${output}`).toContain(exitCode);
      }
      const module = filled(list[0] ?? "").replace(/[\r\n\u2028]/g, " ");
      const commit = await demo.commitBeside(
        { ...plainApp("x"), Procfile: `wsgi: ${module}\n` },
        number,
      );
      const push = await scene().push(via, [`+${commit}:refs/heads/main`]);
      expect(push.output).toContain("error[BUILD_TREE_INVALID]: Procfile: wsgi:");
      expect(scene().main).toBe(before);
    },
  );

  it("I1, I2, I3, I4: are variables to the letter", async () => {
    const { demo, server } = scene();
    const texts = Object.values(words).flat().map(filled);
    const files = evaluatingApp(
      "json.dumps({k: v for k, v in os.environ.items() if k.startswith('EVIL_')})",
      "import json, os",
    );
    const commit = await demo.commitBeside(files, "Variables");
    expect((await scene().push("http", [`+${commit}:refs/heads/main`])).exitCode).toBe(0);
    const assignments = texts.map((text, index) => `EVIL_${index}=${text}`);

    const set = await server.reeve("vars", "demo", "set", ...assignments);
    const { body } = await server.get("demo");
    const unset = await server.reeve(
      "vars",
      "demo",
      "unset",
      ...texts.map((_, index) => `EVIL_${index}`),
    );

    expect(set.exitCode, set.output).toBe(0);
    expect(unset.exitCode, unset.output).toBe(0);
    expect(JSON.parse(body)).toEqual(
      Object.fromEntries(texts.map((text, index) => [`EVIL_${index}`, text])),
    );
  });

  it.each(
    byWays(
      [
        "LD_PRELOAD",
        "UWSGI_FILE",
        "PATH",
        "GIT_DIR",
        "HOME",
        "REEVE_DATA",
        "PYTHONHOME",
        "a b",
        "a\nb",
        "../x",
        "é",
        "",
        "-x",
        "__proto__ ",
      ].map((name): [string] => [name]),
      3,
    ),
  )("I5: %j is no variable's name, over %s", async (name, via) => {
    const { server, ada } = scene();
    const { exitCode, output } =
      via === "http"
        ? await server.reeve("vars", "demo", "set", "--", `${name}=x`)
        : await ada.ssh.run(`vars demo set -- '${name}=x'`);

    expect(exitCode, output).toBeGreaterThan(0);
    expect(output).toMatch(/^error(\[(VARIABLE_INVALID|SSH_REFUSED)\])?: /m);
  });

  it.each(
    byWays(
      [
        "os:system --x",
        "/etc/passwd",
        "../x.py",
        "a b",
        "x".repeat(10_240),
        "app",
        "app:",
        ":app",
        "app:app()",
        "app:app:app",
        "app:app;id",
      ].map((module): [string] => [module]),
      2,
    ),
  )("I6: %s is no module, over %s", async (module, via) => {
    const before = scene().main;
    const commit = await scene().demo.commitBeside(
      { ...plainApp("x"), Procfile: `wsgi: ${module}\n` },
      "I6",
    );
    const push = await scene().push(via, [`+${commit}:refs/heads/main`]);

    expect(push.exitCode).toBe(1);
    expect(push.output).toContain("error[BUILD_TREE_INVALID]");
    expect(scene().main).toBe(before);
  });

  it("I7: whatever passes for a name, a host, a branch or a module leaves the ini's keys as they are", () => {
    const { keys } = readIni(iniOf({}));
    fc.assert(
      fc.property(anything, (text) => {
        const given = [
          ...(isAppName(text) ? [{ name: text }] : []),
          { name: choosePreviewName("demo", text, () => false) },
          ...(isHostName(text) ? [{ host: text }] : []),
          ...(moduleName.safeParse(text).success ? [{ module: text }] : []),
        ];
        for (const values of given) expect(readIni(iniOf(values)).keys).toEqual(keys);
      }),
      runs,
    );
  });

  it("I8: two deploys in a second, and an ini that is dated ahead: the newest is what runs in the end", async () => {
    const { demo, server } = scene();
    const ini = server.path("etc/vassals/demo.ini");
    const ahead = Math.floor(Date.now() / 1000) + 3600;
    // Where a variable was just taken away, the ini is held while the vassal is started anew.
    await server.settled("demo");
    utimesSync(ini, ahead, ahead);
    for (const text of ["I8 one", "I8 two"]) {
      const commit = await demo.commitBeside(plainApp(text), text);
      expect((await scene().push("http", [`+${commit}:refs/heads/main`])).exitCode).toBe(0);
    }
    await server.settled("demo");

    expect((await server.get("demo")).body).toBe("I8 two");
  });

  it("I9: what else lies in the vassals' folder is not run, and ends no Emperor", async () => {
    const { server, oracle } = scene();
    const evil = `[uwsgi]\nexec-asap = touch ${oracle.canary}\n`;
    const place = (name: string): string => server.path("etc/vassals", name);
    const files = [
      "x.ini~",
      ".x.ini.tmp",
      "x.ini.held",
      "x.txt",
      "README",
      `${"x".repeat(240)}.ini~`,
    ];
    for (const name of files) writeFileSync(place(name), evil);
    symlinkSync("/nonexistent", place("dangling.ini"));
    mkdirSync(place("folder.ini"));

    await scene().pushAgain();

    await new Promise((resolve) => setTimeout(resolve, 500));
    for (const name of [...files, "dangling.ini", "folder.ini"])
      rmSync(place(name), { recursive: true });
  });

  it("I10: no variable stands in an ini, and nobody but root and the app can read one", async () => {
    const { server } = scene();
    await server.reeve("vars", "demo", "set", "PRIVATE=in-a-variable-9e07");
    await server.settled("demo");
    const ini = server.read("etc/vassals/demo.ini");
    const path = server.path("etc/apps/demo/variables/PRIVATE");
    const { mode, uid } = statSync(path);
    const folder = statSync(server.path("etc/apps/demo/variables")).mode;
    expect(readFileSync(path, "utf8")).toBe("in-a-variable-9e07");
    await server.reeve("vars", "demo", "unset", "PRIVATE");

    expect(ini).not.toContain("in-a-variable");
    expect([mode & 0o777, folder & 0o777]).toEqual([0o640, 0o750]);
    expect(uid).toBe(process.getuid?.());
  });

  describe("N1: a host that is none", () => {
    it.each(
      some(
        [
          ["x.com; } server { listen 1"],

          ["x.com\n}"],
          ["{"],
          ["}"],
          ['"'],
          ["'"],
          ["\\"],
          ["#"],
          ["$host"],
          ["~.*"],
          ["*.x.com"],
          [".x.com"],
          ["_"],
          ['""'],
          [" "],
          ["a..b"],
          ["-a.com"],
          [`${"x".repeat(64)}.com`],
          [`${"x.".repeat(126)}com`],
          ["x.com."],
          ["127.0.0.1"],
          ["[::1]"],
          ["bücher.example"],
          ["x.com:80"],
          ["x.com y.com"],
          ["X.com"],
        ],
        4,
      ),
    )("%j", async (host) => {
      const { exitCode, output } = await scene().server.reeve(
        "options",
        "demo",
        "set",
        `host=${host}`,
      );

      expect(exitCode, output).toBe(2);
      expect(output).toContain("error[OPTION_INVALID]");
    });
  });

  describe("what an app says to nginx, and a visitor to an app", () => {
    const mirror = `import json

def app(environ, start_response):
    path = environ["PATH_INFO"]
    headers = {
        "/redirect": [("X-Accel-Redirect", "/target")],
        "/redirect-out": [("X-Accel-Redirect", "/../../etc/passwd")],
        "/redirect-named": [("X-Accel-Redirect", "@loc")],
        "/internal": [("X-Accel-Redirect", "/inside/secret")],
        "/limit": [("X-Accel-Limit-Rate", "1"), ("X-Accel-Charset", "koi8-r"), ("X-Accel-Expires", "60")],
        "/sendfile": [("X-Sendfile", "/etc/passwd")],
        "/large": [("X-Large", "x" * 1048576)],
        "/cookies": [("Set-Cookie", "c%d=1" % n) for n in range(10000)],
        "/split": [("X-Split", "a\\r\\nX-Evil: 1")],
        "/close": [("Connection", "close"), ("Content-Length", "5"), ("Transfer-Encoding", "chunked")],
    }.get(path, [])
    if path == "/environ":
        body = json.dumps({k: v for k, v in environ.items() if isinstance(v, str)}).encode()
    else:
        body = path.encode()
    start_response("200 OK", [("Content-Type", "text/plain"), *headers])
    if path == "/endless":
        return iter(lambda: b"x" * 65536, None)
    return [body]
`;
    const put = async (): Promise<void> => {
      const { server, demo } = scene();
      if ((await server.get("demo", "/is-mirror")).body === "/is-mirror") return;
      const commit = await demo.commitBeside({ "app.py": mirror }, "A mirror");
      const push = await scene().push("http", [`+${commit}:refs/heads/main`]);
      expect(push.exitCode, push.output).toBe(0);
    };

    it.each([
      ["/redirect"],
      ["/redirect-out"],
      ["/redirect-named"],
      ["/internal"],
      ["/limit"],
      ["/sendfile"],
    ])("N4: %s is answered as the app answers it", async (path) => {
      await put();
      const answer = await scene().server.get("demo", path);

      expect([answer.status, answer.body]).toEqual([200, path]);
      expect(answer.headers["content-type"]).toBe("text/plain");
      expect(answer.headers["x-accel-redirect"]).toBeUndefined();
    });

    it.each([["/large"], ["/cookies"], ["/split"], ["/close"], ["/endless"]])(
      "N5: %s is that app's own trouble",
      async (path) => {
        await put();
        const { server } = scene();
        const request = head("GET", path, [
          `Host: demo.localhost:${server.port}`,
          "Connection: close",
        ]);
        const timeout = path === "/endless" ? { within: 10_000, atMost: 1e6 } : { within: 700 };
        const nginx = { port: server.port, host: "127.0.0.1" };
        const answer = await sendRaw(nginx, [request], timeout);

        if (path === "/endless") expect(answer.status).toBe(200);
        else expect([0, 200, 502]).toContain(answer.status);
        expect((await server.get("demo", "/after")).body).toBe("/after");
      },
    );

    it("N6: what a visitor says of where it comes from reaches no app", async () => {
      await put();
      const { server } = scene();
      const forged = {
        uwsgi_file: "/etc/passwd",
        "uwsgi-file": "/etc/passwd",
        proxy: "http://evil.example",
        forwarded: "for=10.0.0.1",
        "x-forwarded-for": "10.0.0.1",
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "https",
        "x-forwarded-port": "443",
        "x-forwarded-prefix": "/evil",
        "x-real-ip": "10.0.0.1",
        "remote-user": "admin",
      };
      const { body } = await server.get("demo", "/environ", forged);
      const environ = JSON.parse(body) as Record<string, string>;

      expect(environ).toMatchObject({
        HTTP_HOST: `demo.localhost:${server.port}`,
        HTTP_X_FORWARDED_FOR: "127.0.0.1",
        HTTP_X_REAL_IP: "127.0.0.1",
        HTTP_X_FORWARDED_PROTO: "http",
      });
      for (const name of [
        "HTTP_PROXY",
        "HTTP_FORWARDED",
        "HTTP_X_FORWARDED_HOST",
        "HTTP_X_FORWARDED_PORT",
        "HTTP_X_FORWARDED_PREFIX",
        "UWSGI_FILE",
        "REMOTE_USER",
      ])
        expect(environ, name).not.toHaveProperty(name);
      const two = await sendRaw({ port: server.port, host: "127.0.0.1" }, [
        head("GET", "/", ["Host: demo.localhost", "Host: other.localhost", "Connection: close"]),
      ]);
      expect(two.status).toBe(400);
    });
  });

  it("N7: whatever passes for a host or a name leaves the server block as it is", () => {
    const shape = shapeOf(readNginx(vhostOf("demo", "demo.localhost")));
    fc.assert(
      fc.property(anything, (text) => {
        const name = choosePreviewName("demo", text, () => false);
        const given = [
          [name, `${name}.localhost`],
          ...(isHostName(text) ? [["demo", text]] : []),
          ...(isAppName(text) ? [[text, `${text}.localhost`]] : []),
        ];
        for (const [called = "", host = ""] of given)
          expect(shapeOf(readNginx(vhostOf(called, host)))).toEqual(shape);
      }),
      runs,
    );
  });

  it("N8: a file of the administrator's that nginx does not take is named, and left", async () => {
    const { server } = scene();
    const file = server.path("etc/nginx/sites-enabled/zz.conf");
    writeFileSync(file, "server { nonsense\n");
    const own = await scene().demo.commitBeside(plainApp("N8"), "N8");
    const first = await scene().push("http", [`${own}:refs/heads/new`]);
    const plain = await scene().push("http", [`+${own}:refs/heads/main`]);
    expect(readFileSync(file, "utf8")).toBe("server { nonsense\n");
    rmSync(file);

    expect(first.exitCode).toBe(1);
    expect(first.output).toContain("error[VHOST_REJECTED]");
    expect(first.output).toContain("zz.conf");
    // What changes nothing of nginx's does not ask it.
    expect(plain.exitCode, plain.output).toBe(0);
  });

  it("N8: a server block that is lost or cut is reeve's again, or the administrator's, with the next push", async () => {
    const { server, demo } = scene();
    const site = server.path("etc/nginx/sites-available/demo.conf");
    const before = readFileSync(site, "utf8");
    rmSync(site);
    const commit = await demo.commitBeside(plainApp("N8 again"), "N8 again");
    const push = await scene().push("http", [`+${commit}:refs/heads/main`]);

    expect(push.exitCode, push.output).toBe(0);
    expect(readFileSync(site, "utf8")).toBe(before);
    expect((await server.get("demo")).body).toBe("N8 again");
  });

  it("N9: nobody notices that nginx reloads", async () => {
    const { server } = scene();
    const visitors = new Visitors(server, "other");
    visitors.come(100, "other");
    const commit = await scene().demo.commitBeside(plainApp("N9"), "N9");
    for (let round = 0; round < (isLong ? 20 : 1); round++) {
      expect((await scene().push("http", [`${commit}:refs/heads/n9`])).exitCode).toBe(0);
      expect((await scene().push("http", [":refs/heads/n9"])).exitCode).toBe(0);
    }

    expect((await visitors.leave()).failed).toEqual([]);
  });

  it.each(byWays([[]]))(
    "V1: another app's host is not for an app's owner to take, over %s",
    async (via) => {
      const { server, ada, demo } = scene();
      const set =
        via === "http" ? undefined : await ada.ssh.run("options demo set host=other.localhost");
      const files = {
        ...plainApp("thief"),
        "reeve.toml": 'host = "other.localhost"\n',
        ".reeve": "host: other.localhost\n",
        CNAME: "other.localhost\n",
      };
      const commit = await demo.commitBeside(files, "A thief");
      const push = await scene().push(via, [
        `+${commit}:refs/heads/main`,
        `${commit}:refs/heads/other`,
      ]);

      if (set) expect(set.output).toContain("error[NOT_ALLOWED]");
      expect(push.exitCode, push.output).toBe(0);
      expect((await server.get("other")).body).toBe("other");
    },
  );

  it("V1: nor for the administrator to give twice", async () => {
    const { server } = scene();
    const set = ["options", "demo", "set"];
    const { exitCode, output } = await server.reeve(...set, "host=other.localhost");

    expect([exitCode, output]).toEqual([1, expect.stringContaining("error[PLACE_TAKEN]")]);
    expect((await server.get("other")).body).toBe("other");
  });

  it("V2: no two branches of no two apps have one name", () => {
    const letters = ["a", "b", "-", "/", ".", "_", "A"];
    let branches = [""];
    const taken = new Map<string, string>();
    for (let length = 1; length <= (isLong ? 5 : 4); length++) {
      branches = branches.flatMap((start) => letters.map((letter) => start + letter));
      for (const app of ["a", "b", "a-b", "b-a"])
        for (const branch of branches) {
          const name = choosePreviewName(app, branch, (known) => taken.has(known));
          expect(taken.get(name), `${app} ${branch}`).toBeUndefined();
          expect(name.endsWith(`--${app}`)).toBe(true);
          taken.set(name, `${app} ${branch}`);
        }
    }
  });

  it("V3: shop's branch dev-x is not shop-dev's branch x", () => {
    expect(previewName("dev-x", "shop")).not.toBe(previewName("x", "shop-dev"));
    for (const app of ["dev--shop", "x--shop-dev", "shop-", "-shop"])
      expect(isAppName(app)).toBe(false);
  });

  it("V4: the longest branch of the longest app is a host that nginx takes", async () => {
    const branch = "feature/".repeat(30);
    const name = choosePreviewName("x".repeat(30), branch, () => false);
    expect(name).toMatch(/-[0-9a-f]{8}--x{30}$/);
    expect(name.length).toBeLessThanOrEqual(63);
    const commit = await scene().demo.commitBeside(plainApp("V4"), "V4");
    const push = await scene().push("ssh", [`${commit}:refs/heads/${branch}x`]);

    expect(push.exitCode, push.output).toBe(0);
    const [found] = await scene().server.json<{ preview: string }[]>("previews", "demo");
    expect((await scene().server.get(found?.preview ?? "")).body).toBe("V4");
  });

  it.each([["git.localhost"], ["localhost"]])("V5: %s stays reeve's", async (host) => {
    const { server } = scene();
    const { exitCode, output } = await server.reeve("options", "demo", "set", `host=${host}`);

    expect([exitCode, output]).toEqual([1, expect.stringContaining("error[PLACE_TAKEN]")]);
    expect((await server.get("git", "/")).status).toBe(401);
  });

  it.each(byWays([[]]))(
    "V6: a preview sees none of production's variables, over %s",
    async (via) => {
      const { server, demo } = scene();
      await server.reeve("vars", "demo", "set", "PASSWORD=of-production");
      const commit = await demo.commitBeside(evaluatingApp("os.environ.get('PASSWORD')"), "V6");
      const push = await scene().push(via, [`${commit}:refs/heads/v6`]);
      const { body } = await server.get("v6--demo");
      await server.reeve("vars", "demo", "unset", "PASSWORD");

      expect(push.exitCode, push.output).toBe(0);
      expect(body).toBe("None");
    },
  );
}
