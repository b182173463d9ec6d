import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { Turns } from "../../../../src/system/turns.ts";
import { describe, expect, it } from "vitest";
import type { Place } from "../../../../src/names/instance.ts";
import { isUntouched } from "../../../../src/system/signature.ts";
import {
  installVhost,
  isEnabled,
  removeVhost,
  vhostText,
  type Vhost,
  type VhostValues,
} from "../../../../src/agent/vhost/vhost.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";
import { RecordingSystem } from "../../../support/unit-system.ts";

const values: VhostValues = {
  name: "demo",
  url: "http://demo.example.org/",
  place: { scheme: "http", host: "demo.example.org", path: "/", port: 0 },
  listen: ["127.0.0.1:80", "[::1]:80"],
  hostHeader: "$host",
  scheme: "$scheme",
  socket: "/run/reeve/sockets/demo.sock",
  accessLog: "/var/log/reeve/apps/demo.access.jsonl",
  anyCookieDomain: false,
  preview: undefined,
  localPattern: "/etc/reeve/apps/demo/vhost.local.con[f]",
};

function directivesOf(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

const headers = [
  "proxy_set_header X-Real-IP $remote_addr;",
  "proxy_set_header X-Forwarded-For $remote_addr;",
  "proxy_set_header X-Forwarded-Proto $scheme;",
  'proxy_set_header X-Forwarded-Host "";',
  'proxy_set_header X-Forwarded-Port "";',
  'proxy_set_header X-Forwarded-Prefix "";',
  'proxy_set_header Forwarded "";',
  'proxy_set_header Proxy "";',
  "proxy_set_header X-Request-Id $request_id;",
  "proxy_ignore_headers X-Accel-Redirect X-Accel-Charset X-Accel-Limit-Rate X-Accel-Expires;",
];

describe("the server block of a preview", () => {
  const preview = { ...values, name: "new-cart--demo" };

  it("keeps search engines away", () => {
    expect(directivesOf(vhostText({ ...preview, preview: { passwords: undefined } }))).toContain(
      "add_header X-Robots-Tag noindex always;",
    );
  });

  it("asks for the password, where there is one", () => {
    const passwords = "/etc/reeve/apps/new-cart--demo/passwords";

    const directives = directivesOf(vhostText({ ...preview, preview: { passwords } }));

    expect(directives).toContain('auth_basic "new-cart--demo";');
    expect(directives).toContain(`auth_basic_user_file ${passwords};`);
  });
});

describe("the server block", () => {
  it("reads like the article's, and overwrites what a client says of itself", () => {
    expect(directivesOf(vhostText(values))).toEqual([
      "server {",
      "listen 127.0.0.1:80;",
      "listen [::1]:80;",
      "server_name demo.example.org;",
      "access_log /var/log/reeve/apps/demo.access.jsonl reeve;",
      "location / {",
      "proxy_set_header Host $host;",
      ...headers,
      "proxy_cookie_domain ~. demo.example.org;",
      "proxy_pass http://unix:/run/reeve/sockets/demo.sock;",
      "}",
      "include /etc/reeve/apps/demo/vhost.local.con[f];",
      "}",
    ]);
  });

  it("hands the port on at any other one, or every redirect would lose it", () => {
    const listen = ["127.0.0.1:8080"];
    const text = vhostText({ ...values, listen, hostHeader: "$host:$server_port" });

    expect(directivesOf(text)).toEqual([
      "server {",
      "listen 127.0.0.1:8080;",
      "server_name demo.example.org;",
      "access_log /var/log/reeve/apps/demo.access.jsonl reeve;",
      "location / {",
      "proxy_set_header Host $host:$server_port;",
      ...headers,
      "proxy_cookie_domain ~. demo.example.org;",
      "proxy_pass http://unix:/run/reeve/sockets/demo.sock;",
      "}",
      "include /etc/reeve/apps/demo/vhost.local.con[f];",
      "}",
    ]);
  });

  it("tells the app of the visitor by the variables that it is given", () => {
    const words = { hostHeader: "$host$reeve_port", scheme: "$reeve_scheme" };

    const directives = directivesOf(vhostText({ ...values, ...words }));

    expect(directives).toContain("proxy_set_header Host $host$reeve_port;");
    expect(directives).toContain("proxy_set_header X-Forwarded-Proto $reeve_scheme;");
  });

  it("leaves an app's cookies as they are, where an option says so", () => {
    expect(vhostText({ ...values, anyCookieDomain: true })).not.toContain("cookie");
  });

  it("carries its checksum, so that a change by hand is seen", () => {
    expect(isUntouched(vhostText(values))).toBe(true);
    expect(isUntouched(vhostText(values).replace("location / {", "location /x {"))).toBe(false);
  });
});

describe("the location of a preview that shares its host", () => {
  const place = { scheme: "http" as const, host: "preview.intranet", path: "/new-cart/", port: 0 };

  it("has everything of its own inside it, the administrator's lines as well", () => {
    const passwords = "/etc/reeve/apps/new-cart--demo/passwords";

    const text = vhostText({ ...values, name: "new-cart--demo", place, preview: { passwords } });

    expect(directivesOf(text)).toEqual([
      "location /new-cart/ {",
      "access_log /var/log/reeve/apps/demo.access.jsonl reeve;",
      "add_header X-Robots-Tag noindex always;",
      'auth_basic "new-cart--demo";',
      `auth_basic_user_file ${passwords};`,
      "proxy_set_header Host $host;",
      ...headers,
      "proxy_cookie_domain ~. preview.intranet;",
      "proxy_pass http://unix:/run/reeve/sockets/demo.sock;",
      "include /etc/reeve/apps/demo/vhost.local.con[f];",
      "}",
    ]);
    expect(isUntouched(text)).toBe(true);
  });
});

function nginx() {
  const folder = temporaryFolder();
  const sites = {
    available: join(folder, "sites-available"),
    enabled: join(folder, "sites-enabled"),
    sharedHosts: join(folder, "shared-hosts"),
  };
  for (const path of Object.values(sites)) mkdirSync(path);
  const own = {
    configuration: join(folder, "nginx.conf"),
    prefix: folder,
    pidFile: join(folder, "nginx.pid"),
    turns: new Turns(),
    sites,
  };
  const test = `nginx -p ${folder} -c ${own.configuration} -t -q`;
  const files = (): string[] =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
      .sort();
  return { sites, own, test, files };
}

function vhostOf(name: string, place: Partial<Place>): Vhost {
  const at = { scheme: "http" as const, host: `${name}.example.org`, path: "/", port: 0, ...place };
  return { name, place: at, listen: ["127.0.0.1:80"], text: `new ${name}` };
}

const demo = vhostOf("demo", {});

describe("a server block that nginx refuses", () => {
  it("gives way to the former one, and nginx is not reloaded", async () => {
    const { sites, own, test } = nginx();
    const site = join(sites.available, "demo.conf");
    writeFileSync(site, "old");
    symlinkSync("../sites-available/demo.conf", join(sites.enabled, "demo.conf"));
    const host = new RecordingSystem().failing(test, 'unexpected "}" in zz.conf:3');

    await expect(installVhost(host, own, demo)).rejects.toMatchObject({
      code: "VHOST_REJECTED",
      message: expect.stringContaining('unexpected "}" in zz.conf:3') as string,
    });

    expect(readFileSync(site, "utf8")).toBe("old");
    expect(readlinkSync(join(sites.enabled, "demo.conf"))).toBe("../sites-available/demo.conf");
    expect(host.lines).toEqual([test]);
  });

  it.each([
    ["at a host of its own", {}],
    ["below a path", { host: "preview.intranet", path: "/x/" }],
  ])("leaves nothing where there was none before, %s", async (_, place) => {
    const { own, sites, test, files } = nginx();
    const host = new RecordingSystem().failing(test, "no");

    await expect(installVhost(host, own, vhostOf("x--demo", place))).rejects.toThrow();

    expect(files()).toEqual([]);
    expect(readdirSync(sites.sharedHosts)).toEqual([]);
  });
});

describe("nginx that does not run", () => {
  it("is said to be down rather than told to reload, and the former block is back", async () => {
    const { sites, own, test } = nginx();
    const site = join(sites.available, "demo.conf");
    writeFileSync(site, "old");
    const host = new RecordingSystem();

    await expect(installVhost(host, own, demo)).rejects.toMatchObject({
      code: "NGINX_DOWN",
    });

    expect(host.lines).toEqual([test]);
    expect(readFileSync(site, "utf8")).toBe("old");
    expect(existsSync(join(sites.enabled, "demo.conf"))).toBe(false);
  });

  it("does not keep a block from being taken away", async () => {
    const { sites, own, files } = nginx();
    writeFileSync(join(sites.available, "demo.conf"), "old");

    await removeVhost(new RecordingSystem(), own, "demo");

    expect(files()).toEqual([]);
  });
});

describe("a host that instances share", () => {
  /** A place in the folders as it stands after a deploy. */
  const stand = ({ sites }: ReturnType<typeof nginx>, { name, place, text }: Vhost): void => {
    const folder = join(sites.sharedHosts, place.host);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(sites.available, `${name}.conf`), text);
    symlinkSync(`../../sites-available/${name}.conf`, join(folder, `${name}.conf`));
    const file = `shared-host.${place.host}.conf`;
    if (existsSync(join(sites.available, file))) return;
    writeFileSync(join(sites.available, file), "# edited by hand");
    symlinkSync(`../sites-available/${file}`, join(sites.enabled, file));
  };
  const shared = { host: "preview.intranet" };
  const [one, two] = ["one", "two"].map((slug) =>
    vhostOf(`${slug}--demo`, { ...shared, path: `/${slug}/` }),
  ) as [Vhost, Vhost];

  it("stays while another one is there, and goes with the last", async () => {
    const own = nginx();
    stand(own, one);
    stand(own, two);

    await removeVhost(new RecordingSystem(), own.own, one.name);

    expect(own.files()).toEqual([
      "shared-hosts/preview.intranet/two--demo.conf",
      "sites-available/shared-host.preview.intranet.conf",
      "sites-available/two--demo.conf",
      "sites-enabled/shared-host.preview.intranet.conf",
    ]);

    await removeVhost(new RecordingSystem(), own.own, two.name);

    expect(own.files()).toEqual([]);
    expect(readdirSync(own.sites.sharedHosts)).toEqual([]);
  });

  it("is there again, with the one that was to leave it, where nginx refuses the new place", async () => {
    const own = nginx();
    stand(own, one);
    const before = own.files();
    const host = new RecordingSystem().failing(own.test, "no");

    await expect(installVhost(host, own.own, vhostOf(one.name, {}))).rejects.toThrow();

    expect(own.files()).toEqual(before);
    expect(await isEnabled(own.own, one)).toBe(true);
    expect(await isEnabled(own.own, vhostOf(one.name, {}))).toBe(false);
  });
});
