import { createServer, type AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { expectFreePort, sayUnprotected } from "../../../src/server/checks.ts";
import { temporaryFolder, writeFiles } from "../../support/unit-folder.ts";

describe("the kernel's protection of links", () => {
  it.each([
    [{ protected_hardlinks: "1\n", protected_symlinks: "1\n" }, []],
    [{ protected_hardlinks: "1\n", protected_symlinks: "0\n" }, ["fs.protected_symlinks=1"]],
    [{}, ["fs.protected_hardlinks=1 fs.protected_symlinks=1"]],
  ])("is said in one line where it is not there", async (switches, settings) => {
    const folder = temporaryFolder();
    writeFiles(folder, switches);

    expect(await sayUnprotected(folder)).toEqual(
      settings.map((names): unknown => expect.stringMatching(new RegExp(`sysctl -w ${names}$`))),
    );
  });
});

describe("a port that is taken", () => {
  it("is said for each address, by the name of who has it there", async () => {
    const server = createServer();
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.2", resolve));
    const { port } = server.address() as AddressInfo;
    const second = createServer();
    onTestFinished(() => void second.close());
    await new Promise<void>((resolve) => second.listen(port, "127.0.0.3", resolve));

    await expectFreePort(port, ["127.0.0.1", "::1"]);
    await expect(
      expectFreePort(port, ["127.0.0.1", "127.0.0.2", "127.0.0.3"]),
    ).rejects.toMatchObject({
      code: "PORT_TAKEN",
      message: [2, 3]
        .map((last) => `port ${port} on 127.0.0.${last} is taken by node (process ${process.pid})`)
        .join("\n"),
    });
  });
});
