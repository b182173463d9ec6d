import { describe, expect, it } from "vitest";
import { isUntouched } from "../../../../src/system/signature.ts";
import {
  understudyIni,
  vassalIni,
  withUser,
  withVirtualenv,
  type VassalValues,
} from "../../../../src/agent/vassal/vassal-ini.ts";

const values: VassalValues = {
  name: "demo",
  url: "http://demo.localhost:8080/",
  release: undefined,
  sockets: "/run/reeve/sockets",
  socket: "%n",
  srv: "/srv",
  own: "/etc/reeve/apps",
  logs: "/var/log/reeve/apps",
  environment: "/srv/demo/envs/0123456789abcdef",
  process: { type: "web", kind: "wsgi", module: "app:app" },
  root: "",
  mount: undefined,
  webProcesses: 2,
  listen: 1024,
  group: { memory: 0, processes: 0 },
  memory: 4096,
  maxProcesses: 512,
  grace: 60,
  identity: { user: "reeve-demo", group: "reeve-demo", web: "www-data" },
};

describe("the vassal's ini", () => {
  it("begins with the article's, line by line", () => {
    const article = `[uwsgi]
plugins = python3
http-socket = /tmp/%n.sock
master = true
workers = 2
chdir = /srv/%n/app
virtualenv = /srv/%n/env
module = app:app
`;

    const ini = vassalIni({ ...values, sockets: "/tmp", environment: "/srv/%n/env" });

    expect(ini.slice(ini.indexOf("[uwsgi]")).startsWith(article)).toBe(true);
  });

  it("mounts an app whose pages are below a path", () => {
    const ini = vassalIni({ ...values, mount: "/new-cart" });

    expect(ini).toContain("mount = /new-cart=app:app\nmanage-script-name = true\n");
    expect(ini).not.toContain("module =");
  });

  it("leaves the limits to the control group where that has them", () => {
    const group = { memory: 512, processes: 64 };

    const lines = vassalIni({ ...values, group, memory: 0, maxProcesses: 0 }).split("\n");

    expect(lines).toContain("group-memory = 512");
    expect(lines).toContain("group-processes = 64");
    expect(lines.filter((line) => line.startsWith("limit-"))).toEqual([]);
  });

  it("is what a careful administrator would have written", () => {
    expect(vassalIni(values).replace(/reeve \([0-9a-f]{12}\)/, "reeve (CHECKSUM)"))
      .toMatchInlineSnapshot(`
        "; demo: http://demo.localhost:8080/
        ; Written by reeve (CHECKSUM). Edit it, and reeve leaves it alone, but for the path of the environment and
        ; the user; delete it, and the next deploy writes it anew. Better: write a section of your own, heading and
        ; all, into the file that is included at the end.
        [uwsgi]
        plugins = python3
        http-socket = /run/reeve/sockets/%n.sock
        master = true
        workers = 2
        chdir = /srv/%n/app
        virtualenv = /srv/demo/envs/0123456789abcdef
        module = app:app

        ; Without a working app there is nothing to serve; the traceback is in the log.
        need-app = true
        enable-threads = true
        buffer-size = 32768
        listen = 1024
        uid = reeve-demo
        gid = reeve-demo
        ; No other groups than this one, whatever /etc/group says.
        no-initgroups = true
        chmod-socket = 660
        chown-socket = root:www-data
        ; MiB of address space of each process: the option memory.
        limit-as = 4096
        ; Of all that runs as this user: the option max_processes.
        limit-nproc = 512
        logto2 = /var/log/reeve/apps/%n.log
        log-x-forwarded-for = true
        ; What is asked over a socket has no address: the visitor's is what nginx says.
        route-run = addvar:REMOTE_ADDR=\${HTTP_X_REAL_IP}

        ; The variables and what reeve says of the release, one file each, and the one folder that the app may write.
        envdir = /etc/reeve/apps/%n/variables
        env = REEVE_DATA=/srv/%n/data
        ; An app's folder is in no repository, whatever stands above reeve's.
        env = GIT_CEILING_DIRECTORIES=/srv

        ; A request that is running may finish, on a reload and on a stop.
        worker-reload-mercy = 60
        hook-emperor-stop = callret:gracefully_kill_them_all
        ; Says in its log that it has started, so that it is not held back the next time.
        hook-accepting1-once = print:reeve: started

        if-exists = /etc/reeve/apps/%n/vassal.local.ini
        include = %(_)
        endif =
        "
      `);
  });

  it("names no users where there is no root to drop to them", () => {
    const ini = vassalIni({ ...values, identity: undefined });

    expect(ini).not.toMatch(/^(uid|gid|chown-socket) /m);
    expect(ini).toMatch(/^chmod-socket = 600$/m);
  });

  it("limits nothing where the options say so", () => {
    expect(vassalIni({ ...values, memory: 0, maxProcesses: 0 })).not.toContain("limit-");
  });

  it("carries its checksum, so that a change by hand is seen", () => {
    expect(isUntouched(vassalIni(values))).toBe(true);
    expect(isUntouched(vassalIni(values).replace("workers = 2", "workers = 3"))).toBe(false);
  });
});

const permanent = {
  name: "demo",
  socket: "/run/reeve/sockets/demo.sock",
  app: "/srv/demo/app",
  log: "/var/log/reeve/apps/demo.log",
  variables: "/etc/reeve/apps/demo/variables",
};
const understudy = {
  name: "demo",
  socket: "/run/reeve/sockets/demo.next-7.sock",
  release: "/srv/demo/releases/c0ffee",
  environment: "/srv/demo/envs/fedcba9876543210",
  log: "/var/log/reeve/apps/demo.next-7.log",
  variables: "/etc/reeve/apps/demo/variables.next",
};

describe("the understudy's ini", () => {
  it("is the vassal's with the new release, and its own socket, environment, log and variables", () => {
    const before = vassalIni(values).replaceAll("%n", "demo").split("\n");

    const after = understudyIni(vassalIni(values), permanent, understudy).split("\n");

    expect(after.filter((line, at) => line !== before[at])).toEqual([
      "; The understudy of demo: http://demo.localhost:8080/",
      "http-socket = /run/reeve/sockets/demo.next-7.sock",
      "chdir = /srv/demo/releases/c0ffee",
      "virtualenv = /srv/demo/envs/fedcba9876543210",
      "logto2 = /var/log/reeve/apps/demo.next-7.log",
      "envdir = /etc/reeve/apps/demo/variables.next",
    ]);
    expect(after).toHaveLength(before.length);
  });

  it("holds no %n, which would be the understudy's own name", () => {
    expect(understudyIni(vassalIni(values), permanent, understudy)).not.toContain("%n");
  });

  it("writes the same data and includes the administrator's same lines", () => {
    const lines = understudyIni(vassalIni(values), permanent, understudy).split("\n");

    expect(lines).toContain("env = REEVE_DATA=/srv/demo/data");
    expect(lines).toContain("if-exists = /etc/reeve/apps/demo/vassal.local.ini");
  });

  it("is made from what somebody changed by hand, so that the change is proven as well", () => {
    const edited = [
      "[uwsgi]",
      "plugins = python3",
      "http-socket = /run/reeve/sockets/%n.sock",
      "chdir = /srv/%n/app/src",
      "pythonpath = /srv/demo/app",
      "home=/srv/demo/envs/0123456789abcdef",
      "static-map = /static=/srv/demo/app/static",
      "static-map = /old=/srv/demo/application",
      "touch-reload = /srv/demo/app-flag",
      "module = shop:app",
      "cheaper = 1",
      "",
    ].join("\n");

    expect(understudyIni(edited, permanent, understudy)).toBe(
      [
        "[uwsgi]",
        "plugins = python3",
        "http-socket = /run/reeve/sockets/demo.next-7.sock",
        "chdir = /srv/demo/releases/c0ffee/src",
        "pythonpath = /srv/demo/releases/c0ffee",
        "home=/srv/demo/envs/fedcba9876543210",
        "static-map = /static=/srv/demo/releases/c0ffee/static",
        "static-map = /old=/srv/demo/application",
        "touch-reload = /srv/demo/app-flag",
        "module = shop:app",
        "cheaper = 1",
        "",
      ].join("\n"),
    );
  });
});

describe("an ini with another environment", () => {
  it.each([
    ["virtualenv = /old\n", "virtualenv = /new\n"],
    ["  virtualenv=/old\n", "  virtualenv=/new\n"],
    ["venv = /old\n", "venv = /new\n"],
    ["home = /old\n", "home = /new\n"],
    ["pyhome\t=\t/old\n", "pyhome\t=\t/new\n"],
    ["; virtualenv = /mine\nvirtualenv = /old\n", "; virtualenv = /mine\nvirtualenv = /new\n"],
    ["module = app:app\n", "module = app:app\n"],
  ])("differs in that alone: %j", (before, after) => {
    expect(withVirtualenv(before, "/new")).toBe(after);
  });

  it("takes the path to the letter", () => {
    expect(withVirtualenv("virtualenv = /old", "/srv/$1/$&")).toBe("virtualenv = /srv/$1/$&");
  });
});

describe("an ini with another user", () => {
  it("differs in the lines that name one, and in nothing else", () => {
    const edited = "[uwsgi]\nuid = nobody\n  gid=nogroup\nworkers = 3\n; uid = mine\n";

    expect(withUser(edited, "reeve-demo")).toBe(
      "[uwsgi]\nuid = reeve-demo\n  gid=reeve-demo\nworkers = 3\n; uid = mine\n",
    );
  });

  it("names none where it named none", () => {
    expect(withUser("[uwsgi]\nworkers = 3\n", "reeve-demo")).toBe("[uwsgi]\nworkers = 3\n");
  });
});
