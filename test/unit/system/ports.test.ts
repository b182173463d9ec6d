import { spawn } from "node:child_process";
import { createServer, type AddressInfo, type Server } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { isPortTaken, shortestForm, whoListens } from "../../../src/system/ports.ts";

async function listen(host: string, port = 0): Promise<number> {
  const server: Server = createServer();
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen({ host, port, ipv6Only: true }, resolve));
  return (server.address() as AddressInfo).port;
}

/** A program of another name that listens there. */
async function perlAt(address: string, port: number): Promise<number> {
  const script = `use Socket; use IO::Socket::IP; my $s = IO::Socket::IP->new(LocalHost => "${address}",
    LocalPort => ${port}, Listen => 1, V6Only => 1) or die $@; $| = 1; print "on"; sleep 60`;
  const child = spawn("perl", ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  await new Promise((resolve) => child.stdout.once("data", resolve));
  return child.pid ?? 0;
}

describe("who listens at a port", () => {
  it.each(["127.0.0.1", "127.0.0.2", "::1", "0.0.0.0", "::"])(
    "is said by name, at %s",
    async (at) => {
      // Every address of loopback is this machine's; no other one is opened here.
      const bound = at === "0.0.0.0" ? "127.0.0.1" : at === "::" ? "::1" : at;
      const port = await listen(bound);

      expect(isPortTaken(port)).toBe(true);
      expect(await whoListens(port, at)).toBe(`node (process ${process.pid})`);
    },
  );

  it("is told apart from who has the same port at another address", async () => {
    const port = await listen("127.0.0.1");
    const other = await perlAt("127.0.0.2", port);
    const third = await perlAt("::1", port);

    expect(await whoListens(port, "127.0.0.1")).toBe(`node (process ${process.pid})`);
    expect(await whoListens(port, "127.0.0.2")).toBe(`perl (process ${other})`);
    expect(await whoListens(port, "::1")).toBe(`perl (process ${third})`);
  });

  it("is somebody else where no process is seen that has it", async () => {
    const server: Server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));

    expect(await whoListens(port, "127.0.0.1")).toBe(
      "somebody else (with root, ss -ltnp says who)",
    );
  });
});

describe("an address", () => {
  it.each([
    ["127.0.0.1", "127.0.0.1"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["2001:DB8::0:1", "2001:db8::1"],
  ])("%s is %s in its shortest form", (given, short) => {
    expect(shortestForm(given)).toBe(short);
  });
});
