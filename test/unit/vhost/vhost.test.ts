import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Turns } from "../../../src/host/turns.ts";
import { describe, expect, it } from "vitest";
import { isUntouched } from "../../../src/app/signature.ts";
import {
  installVhost,
  removeVhost,
  vhostText,
  type VhostValues,
} from "../../../src/vhost/vhost.ts";
import { temporaryFolder } from "../../support/unit-folder.ts";
import { RecordingHost } from "../../support/unit-host.ts";

const values: VhostValues = {
  name: "demo",
  url: "http://demo.example.org/",
  place: { host: "demo.example.org", path: "/" },
  listen: ["127.0.0.1:80", "[::1]:80"],
  standardPort: true,
  socket: "/run/reeve/sockets/demo.sock",
  preview: undefined,
  localPattern: "/etc/reeve/apps/demo/vhost.local.con[f]",
};

function directivesOf(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

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
  const headers = [
    "proxy_set_header X-Real-IP $remote_addr;",
    "proxy_set_header X-Forwarded-For $remote_addr;",
    "proxy_set_header X-Forwarded-Proto $scheme;",
    'proxy_set_header X-Forwarded-Host "";',
    'proxy_set_header X-Forwarded-Port "";',
    'proxy_set_header X-Forwarded-Prefix "";',
    'proxy_set_header Forwarded "";',
    'proxy_set_header Proxy "";',
    "proxy_ignore_headers X-Accel-Redirect X-Accel-Charset X-Accel-Limit-Rate X-Accel-Expires;",
  ];

  it("reads like the article's, and overwrites what a client says of itself", () => {
    expect(directivesOf(vhostText(values))).toEqual([
      "server {",
      "listen 127.0.0.1:80;",
      "listen [::1]:80;",
      "server_name demo.example.org;",
      "location / {",
      "proxy_set_header Host $host;",
      ...headers,
      "proxy_pass http://unix:/run/reeve/sockets/demo.sock;",
      "}",
      "include /etc/reeve/apps/demo/vhost.local.con[f];",
      "}",
    ]);
  });

  it("hands the port on at any other one, or every redirect would lose it", () => {
    const text = vhostText({ ...values, listen: ["127.0.0.1:8080"], standardPort: false });

    expect(directivesOf(text)).toEqual([
      "server {",
      "listen 127.0.0.1:8080;",
      "server_name demo.example.org;",
      "location / {",
      "proxy_set_header Host $host:$server_port;",
      ...headers,
      "proxy_pass http://unix:/run/reeve/sockets/demo.sock;",
      "}",
      "include /etc/reeve/apps/demo/vhost.local.con[f];",
      "}",
    ]);
  });

  it("carries its checksum, so that a change by hand is seen", () => {
    expect(isUntouched(vhostText(values))).toBe(true);
    expect(isUntouched(vhostText(values).replace("location / {", "location /x {"))).toBe(false);
  });
});

function nginx() {
  const folder = temporaryFolder();
  const site = {
    available: join(folder, "sites-available", "demo.conf"),
    enabled: join(folder, "sites-enabled", "demo.conf"),
  };
  for (const name of ["sites-available", "sites-enabled"]) mkdirSync(join(folder, name));
  const own = {
    configuration: join(folder, "nginx.conf"),
    prefix: folder,
    pidFile: join(folder, "nginx.pid"),
    turns: new Turns(),
  };
  const test = `nginx -p ${folder} -c ${own.configuration} -t -q`;
  return { site, own, test };
}

describe("a server block that nginx refuses", () => {
  it("gives way to the former one, and nginx is not reloaded", async () => {
    const { site, own, test } = nginx();
    writeFileSync(site.available, "old");
    symlinkSync("../sites-available/demo.conf", site.enabled);
    const host = new RecordingHost().failing(test, 'unexpected "}" in zz.conf:3');

    await expect(installVhost(host, own, site, "new")).rejects.toMatchObject({
      code: "VHOST_REJECTED",
      message: expect.stringContaining('unexpected "}" in zz.conf:3') as string,
    });

    expect(readFileSync(site.available, "utf8")).toBe("old");
    expect(readlinkSync(site.enabled)).toBe("../sites-available/demo.conf");
    expect(host.lines).toEqual([test]);
  });

  it("leaves nothing where there was none before", async () => {
    const { site, own, test } = nginx();
    const host = new RecordingHost().failing(test, "no");

    await expect(installVhost(host, own, site, "new")).rejects.toThrow();

    expect(existsSync(site.available)).toBe(false);
    expect(existsSync(site.enabled)).toBe(false);
  });
});

describe("nginx that does not run", () => {
  it("is said to be down rather than told to reload, and the former block is back", async () => {
    const { site, own, test } = nginx();
    writeFileSync(site.available, "old");
    const host = new RecordingHost();

    await expect(installVhost(host, own, site, "new")).rejects.toMatchObject({
      code: "NGINX_DOWN",
    });

    expect(host.lines).toEqual([test]);
    expect(readFileSync(site.available, "utf8")).toBe("old");
    expect(existsSync(site.enabled)).toBe(false);
  });

  it("is not asked at all where there is nothing to take away", async () => {
    const { site, own } = nginx();
    const host = new RecordingHost();

    await removeVhost(host, own, site);

    expect(host.lines).toEqual([]);
  });
});
