import { execFileSync } from "node:child_process";
import { createServer, type AddressInfo } from "node:net";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { freePort } from "../support/ports.ts";
import { projectRoot, TestServer } from "../support/server.ts";
import { SshClient } from "../support/ssh.ts";

describe("the server's sshd", () => {
  it("is said at the start, with the line that lets a key in, and starts again when it falls", async () => {
    const server = await TestServer.start([], { ssh: true });
    onTestFinished(() => server.remove());
    const client = new SshClient(server);
    const host = `ssh://${SshClient.user}@localhost:${server.sshPort}/demo.git`;
    expect(server.said).toContain(`Or over SSH, at ${host}, once your key is known:`);
    expect(server.said).toContain("keys add admin < ~/.ssh/id_ed25519.pub");
    await server.reeve("keys", "add", "admin", client.publicKey);
    expect((await client.run("apps")).exitCode).toBe(0);

    execFileSync("pkill", ["-f", `sshd.* -f ${server.path("etc/sshd.conf")}`]);

    await expect.poll(async () => (await client.run("apps")).exitCode, { timeout: 10_000 }).toBe(0);
    const before = server.read("lib/front/ssh_host_ed25519_key.pub");
    await server.interrupt();
    expect((await client.run("apps")).exitCode).toBe(255);
    await server.up();
    expect((await client.run("apps")).exitCode).toBe(0);
    expect(server.read("lib/front/ssh_host_ed25519_key.pub")).toBe(before);
  });

  it("is none with ssh_port 0, and nothing is said of it", async () => {
    const server = await TestServer.start();
    onTestFinished(() => server.remove());

    expect(server.said).not.toContain("SSH");
  });

  it("is demanded by a port of one's own: one that is taken keeps the server from starting", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const home = mkdtempSync(join(tmpdir(), "reeve-"));
    chmodSync(home, 0o755);
    onTestFinished(() => {
      taken.close();
      rmSync(home, { recursive: true });
    });
    const { port } = taken.address() as AddressInfo;

    const { exitCode, all } = await execa("node", [join(projectRoot, "dist/main.js"), "up"], {
      env: { REEVE_HOME: home, REEVE_PORT: String(await freePort()), REEVE_SSH_PORT: String(port) },
      all: true,
      reject: false,
    });

    expect(exitCode).toBe(2);
    expect(all).toContain(
      `error[PORT_TAKEN]: port ${port} on 127.0.0.1 is taken by node (process ${process.pid})`,
    );
    expect(all).toContain(
      "hint: Choose another one: ssh_port in etc/server.toml, or REEVE_SSH_PORT",
    );
  });
});
