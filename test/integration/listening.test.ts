import { readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { plainApp } from "../support/apps.ts";
import { freePort } from "../support/ports.ts";
import { eventually, projectRoot, type TestServer } from "../support/server.ts";
import { TlsFront } from "../support/tls-front.ts";
import { withApp, withServer, withWorkspace } from "../support/with-server.ts";

/** What comes first from whoever listens there; its code where nobody does. */
function firstWord(address: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const client = connect(port, address);
    client.once("data", (words) => {
      client.destroy();
      resolve(words.toString());
    });
    client.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
  });
}

function bodyAt(server: TestServer, app: string, address: string): Promise<string> {
  return server.ask({ host: `${app}.localhost:${server.port}`, path: "/", address }).then(
    ({ body }) => body,
    (error: unknown) => (error as NodeJS.ErrnoException).code ?? "",
  );
}

describe("a server that listens at addresses of its own", () => {
  const server = withServer(['listen = "127.0.0.2 ::1"'], { ssh: true });
  withApp(server, "demo", plainApp("demo"));
  withApp(server, "edited", plainApp("edited"));

  it("answers there and nowhere else, over SSH as well", async () => {
    for (const address of ["127.0.0.2", "::1"]) {
      expect(await bodyAt(server, "demo", address)).toBe("demo");
      expect(await bodyAt(server, "nosuch", address)).toBe("There is no app at this address.\n");
      expect(await firstWord(address, server.sshPort)).toMatch(/^SSH-2\.0/);
    }

    expect(await bodyAt(server, "demo", "127.0.0.1")).toBe("ECONNREFUSED");
    expect(await firstWord("127.0.0.1", server.sshPort)).toBe("ECONNREFUSED");
  });

  it("has all server blocks listen elsewhere after the next start, and names one that was edited", async () => {
    const block = server.path("etc/nginx/sites-available/edited.conf");
    writeFileSync(
      block,
      readFileSync(block, "utf8").replace("server_name", "add_header X-Mine yes;\n\tserver_name"),
    );
    await server.interrupt();
    await server.write("etc/server.toml", 'listen = "127.0.0.3"\n');
    await server.up();

    expect(server.said).toContain(`${block} was edited by hand: it listens where it says`);
    expect(server.said).not.toContain("demo.conf");
    await eventually(async () => (await bodyAt(server, "demo", "127.0.0.3")) === "demo", 10_000);
    expect(await bodyAt(server, "demo", "127.0.0.2")).not.toBe("demo");
    expect(await bodyAt(server, "edited", "127.0.0.2")).toBe("edited");
    expect(server.read("etc/nginx/sites-available/demo.conf").match(/listen .*/g)).toEqual([
      `listen 127.0.0.3:${server.port};`,
    ]);
  });

  it("does not start where somebody has its port at one of them, and says who", async () => {
    await server.interrupt();
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(server.port, "127.0.0.3", resolve));
    try {
      const { exitCode, output } = await server.reeve("up");

      expect(exitCode).toBe(2);
      expect(output).toContain(
        `error[PORT_TAKEN]: port ${server.port} on 127.0.0.3 is taken by node (process ${process.pid})`,
      );
    } finally {
      taken.close();
    }
  });

  it("does not start with an address that is not the machine's, nor with what is none", async () => {
    await server.write("etc/server.toml", 'listen = "192.0.2.10"\n');
    const elsewhere = await server.reeve("up");
    await server.write("etc/server.toml", 'listen = "public"\n');
    const none = await server.reeve("up");

    expect(elsewhere.output).toContain(
      "error[CONFIG_INVALID]: listen: 192.0.2.10 is no address of this machine",
    );
    expect(none.output).toContain('server.toml: listen: "public" is neither loopback nor all');
    await server.write("etc/server.toml", "");
    await server.up();
    await eventually(async () => (await bodyAt(server, "demo", "127.0.0.1")) === "demo", 10_000);
  });
});

const tlsPort = await freePort();
const plainPort = await freePort();
const proxy = "127.0.0.2";
const stranger = "127.0.0.3";
const visitor = "127.0.0.4";

/** Somebody's TLS in front of a server, while its tests run. */
function withTlsFront(server: TestServer): () => TlsFront {
  let front: TlsFront;
  beforeAll(async () => {
    front = new TlsFront({
      ...{ folder: join(server.workspaces, "front"), from: proxy },
      ...{ tlsPort, plainPort, serversPort: server.port },
    });
    await front.start();
    // A machine may have its own in this variable, which goes before what is configured.
    vi.stubEnv("GIT_SSL_CAINFO", front.certificate);
  });
  afterAll(() => front.stop());
  return () => front;
}

describe("a server behind somebody's TLS", () => {
  const server = withServer([
    `public_url = "https://localhost:${tlsPort}"`,
    `trusted_proxies = "${proxy}"`,
  ]);
  const front = withTlsFront(server);
  let said: string;

  beforeAll(async () => {
    const flask = await server.workspace("flask", {});
    flask.copy(join(projectRoot, "examples/flask"));
    await flask.commit("The example");
    await flask.git(
      "remote",
      "set-url",
      "deploy",
      `https://admin:${server.token}@localhost:${tlsPort}/git/flask.git`,
    );
    const { exitCode, output } = await flask.push();
    expect(exitCode, output).toBe(0);
    said = output;
  });

  it("is pushed to through it, and prints where visitors come", async () => {
    const url = `https://flask.localhost:${tlsPort}/`;

    expect(said).toContain(url);
    expect(server.said).toContain(`Apps answer at https://<app>.localhost:${tlsPort}/`);
    expect(server.said).toContain(`git remote add deploy https://admin@localhost:${tlsPort}/git/`);
    expect(await server.json("apps")).toMatchObject([{ app: "flask", url }]);
    expect(server.read("etc/apps/flask/variables/REEVE_URL").trim()).toBe(url);
  });

  it("tells an app the visitor's address, the scheme and the host with its port", async () => {
    const host = "flask.localhost";
    const where = await front().ask("/where", { host, from: visitor });
    const old = await front().ask("/old", { host, from: visitor });

    expect(JSON.parse(where.body)).toEqual({
      scheme: "https",
      host: `${host}:${tlsPort}`,
      remote_addr: visitor,
      script_name: "",
    });
    expect(old.headers.location).toBe(`https://${host}:${tlsPort}/`);
  });

  it("believes of a visitor's own headers nothing, through the proxy or past it", async () => {
    const host = "flask.localhost";
    const headers = {
      "x-forwarded-for": "198.51.100.1",
      "x-forwarded-proto": "https",
      "x-forwarded-host": "evil.example",
      "x-forwarded-port": "444",
      "x-real-ip": "198.51.100.1",
      forwarded: "for=198.51.100.1;proto=https",
    };

    const through = await front().ask("/where", { host, from: visitor, headers });
    const past = await server.ask({
      ...{ host: `${host}:${server.port}`, path: "/where", from: stranger, headers },
    });

    expect(JSON.parse(through.body)).toMatchObject({ remote_addr: visitor, scheme: "https" });
    expect(JSON.parse(past.body)).toEqual({
      scheme: "http",
      host: `${host}:${server.port}`,
      remote_addr: stranger,
      script_name: "",
    });
  });

  it("counts wrong tokens by the visitor, and not by the proxy", async () => {
    const authorization = `Basic ${Buffer.from("admin:wrong").toString("base64")}`;
    const path = "/git/flask.git/info/refs?service=git-receive-pack";

    const { status } = await front().ask(path, { from: visitor, headers: { authorization } });

    expect(status).toBe(401);
    expect((await server.reeve("audit")).output).toContain(`wrong token for admin from ${visitor}`);
  });

  it("has Django take a form with its CSRF token", async () => {
    const django = await server.workspace("django", {});
    django.copy(join(projectRoot, "examples/django"));
    await django.commit("The example");
    const { exitCode, output } = await django.push();
    expect(exitCode, output).toBe(0);

    const host = "django.localhost";
    const page = await front().ask("/", { host });
    const token = /name="csrfmiddlewaretoken" value="([^"]+)"/.exec(page.body)?.[1] ?? "";
    const fields = [...page.body.matchAll(/<(?:input|textarea)[^>]* name="([^"]+)"/g)].map(
      ([, name = ""]): [string, string] => [name, name === "csrfmiddlewaretoken" ? token : "Ada"],
    );
    const origin = `https://${host}:${tlsPort}`;
    const posted = await front().ask("/", {
      ...{ host, method: "POST", body: new URLSearchParams(fields).toString() },
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        cookie: String(page.headers["set-cookie"]).split(";")[0] ?? "",
        origin,
        referer: `${origin}/`,
      },
    });

    expect(posted.status, posted.body).toBe(302);
    expect((await front().ask("/", { host })).body).toContain("Ada");
  });
});

describe("git over plain HTTP", () => {
  const options = [`public_url = "https://localhost:${tlsPort}"`, `trusted_proxies = "${proxy}"`];
  const server = withServer(options);
  const demo = withWorkspace(server, "demo", plainApp("demo"));
  withTlsFront(server);

  it("is refused from elsewhere, and git says why and what to do", async () => {
    const plain = `http://admin:${server.token}@localhost:${plainPort}/git/demo.git`;

    for (const words of [
      ["push", plain, "main"],
      ["ls-remote", plain],
    ]) {
      const { exitCode, all: output } = await demo.start(...words);

      expect(exitCode, output).toBe(128);
      expect(output).toContain(
        "remote: error[PLAIN_HTTP]: plain HTTP, from 203.0.113.9: whoever is on the way could read the token",
      );
      expect(output).toContain(`remote: hint: Push to https://localhost:${tlsPort}/git/APP.git.`);
      expect(output).not.toContain("is to be replaced");
    }
    expect(await server.json("apps")).toEqual([]);
  });

  it("says that a token which came all the same is to be replaced", async () => {
    const { status, body } = await server.ask({
      ...{ host: `localhost:${plainPort}`, port: plainPort },
      path: "/git/demo.git/info/refs?service=git-receive-pack",
      headers: {
        authorization: `Basic ${Buffer.from(`admin:${server.token}`).toString("base64")}`,
      },
    });

    expect(status).toBe(403);
    expect(body).toContain("hint: The token that was sent is to be replaced");
  });

  it("is answered from this machine itself, and over the proxy's TLS", async () => {
    const tls = `https://admin:${server.token}@localhost:${tlsPort}/git/demo.git`;

    const { exitCode, output } = await demo.push();
    const listed = await demo.git("ls-remote", tls);

    expect(exitCode, output).toBe(0);
    expect(listed.output).toContain("refs/heads/main");
  });

  it("is answered from elsewhere with plain_http", async () => {
    await server.interrupt();
    await server.write("etc/server.toml", [...options, "plain_http = true", ""].join("\n"));
    await server.up();

    const plain = `http://admin:${server.token}@localhost:${plainPort}/git/demo.git`;
    expect((await demo.git("ls-remote", plain)).output).toContain("refs/heads/main");
  });
});

/** Addresses that are no loopback's, in a network of the server's own that leads nowhere. */
const ownNetwork = [
  ...["unshare", "--net", "sh", "-c"],
  'ip link set lo up && ip address add 192.0.2.10/32 dev lo && ip -6 address add 2001:db8::10/128 dev lo nodad && exec "$@"',
  "sh",
];

describe.runIf(process.getuid?.() === 0)("a server that listens at all addresses", () => {
  const server = withServer(['listen = "all"'], { wrapper: ownNetwork });

  const inside = async (file: string, ...words: string[]): Promise<string> => {
    const enter = ["--target", String(server.pid), "--net", "--", file, ...words];
    return (await execa("nsenter", enter, { all: true, reject: false })).all;
  };
  const script = `const [url, host] = process.argv.slice(1);
    require("http").get(url, { headers: { host } }, (answer) => answer.pipe(process.stdout))
      .on("error", (error) => console.log(error.code));`;
  const ask = (address: string, path = "/"): Promise<string> =>
    inside(process.execPath, "-e", script, `http://${address}:${server.port}${path}`, "localhost");

  it("answers at each of them, IPv4 and IPv6", async () => {
    for (const address of ["127.0.0.1", "192.0.2.10", "[::1]", "[2001:db8::10]"])
      expect(await ask(address)).toBe("There is no app at this address.");
  });

  it("says that git is refused from other machines, and refuses it by their address", async () => {
    expect(server.said).toContain("From other machines git is refused over plain HTTP");
    for (const address of ["192.0.2.10", "2001:db8::10"]) {
      const host = address.includes(":") ? `[${address}]` : address;
      const said = await ask(host, "/git/demo.git/info/refs?service=git-receive-pack");

      expect(said).toContain(`error[PLAIN_HTTP]: plain HTTP, from ${address}:`);
      expect(said).toContain("hint: Push over SSH, or have the administrator put TLS in front");
    }
    const own = `http://admin:${server.token}@localhost:${server.port}/git/demo.git`;
    expect(await inside("git", "ls-remote", own)).toContain("APP_UNKNOWN");
  });

  it("listens on loopback alone after the next start, if it is to", async () => {
    await server.interrupt();
    await server.write("etc/server.toml", "");
    await server.up();

    expect(await ask("127.0.0.1")).toBe("There is no app at this address.");
    expect(await ask("192.0.2.10")).toBe("ECONNREFUSED");
  });
});
