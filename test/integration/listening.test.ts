import { readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { eventually, type TestServer } from "../support/server.ts";
import { withApp, withServer } from "../support/with-server.ts";

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
