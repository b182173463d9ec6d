import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  configVariables,
  frontVariables,
  listenAddresses,
  programRoot,
  readConfig,
  variableName,
} from "../../../src/config/config.ts";
import { serverOptions } from "../../../src/config/server-options.ts";
import { temporaryFolder, writeFiles } from "../../support/unit-folder.ts";

function homeWith(serverFile: string): string {
  const home = temporaryFolder();
  writeFiles(home, { "etc/server.toml": serverFile });
  return home;
}

describe("reeve's folder", () => {
  it("is what --home says, else REEVE_HOME, else var/ in the checkout", () => {
    const variables = { REEVE_HOME: "/tmp/b" };

    expect(readConfig({ home: "/tmp/a" }, variables).layout.home).toBe("/tmp/a");
    expect(readConfig({}, variables).layout.home).toBe("/tmp/b");
    expect(readConfig({}, { REEVE_NO_SERVER_FILE: "1" }).layout.home).toBe(
      join(programRoot, "var"),
    );
  });

  it("is an absolute path, however it was named", () => {
    expect(readConfig({ home: "x/../y" }, {}).layout.home).toBe(join(process.cwd(), "y"));
  });

  it("too long for the apps' sockets is refused before anything is made", () => {
    expect(() => readConfig({ home: `/tmp/${"x".repeat(100)}` }, {})).toThrow(
      expect.objectContaining({ code: "PATH_TOO_LONG" }),
    );
  });

  it("lies beside the hooks and the templates that the program brings", () => {
    expect(existsSync(join(programRoot, "hooks", "update"))).toBe(true);
    expect(existsSync(join(programRoot, "templates", "vassal.ini.hbs"))).toBe(true);
  });
});

describe("the server's options", () => {
  it("come from the flag, else the variable, else the file, else the default", () => {
    const home = homeWith("port = 1001\nkept_releases = 3\n");
    const variables = { REEVE_PORT: "1002", REEVE_KEPT_RELEASES: "4" };

    expect(readConfig({ home, port: "1003" }, variables).server).toMatchObject({
      port: 1003,
      kept_releases: 4,
    });
    expect(readConfig({ home }, variables).server.port).toBe(1002);
    expect(readConfig({ home }, {}).server).toMatchObject({ port: 1001, kept_releases: 3 });
    expect(readConfig({ home: temporaryFolder() }, {}).server.port).toBe(8080);
  });

  it("have a variable each", () => {
    expect(Object.keys(serverOptions).map(variableName)).toContain("REEVE_CREATE_ON_PUSH");
    expect(variableName("domain")).toBe("REEVE_DOMAIN");
  });

  it("take no notice of a variable that is empty", () => {
    const home = homeWith("port = 1001\n");

    expect(readConfig({ home }, { REEVE_PORT: "" }).server.port).toBe(1001);
  });

  it.each([
    ["PIP_INDEX_URL", "package_index", "https://pypi.example.org/simple"],
    ["PIP_EXTRA_INDEX_URL", "package_extra_index", "https://more.example.org/simple"],
    ["https_proxy", "package_proxy", "http://proxy:3128"],
    ["HTTPS_PROXY", "package_proxy", "http://proxy:3128"],
    ["PIP_CERT", "package_ca_file", "/etc/ssl/own.pem"],
    ["SSL_CERT_FILE", "package_ca_file", "/etc/ssl/own.pem"],
  ])("take the machine's %s for %s, unless reeve's own variable says otherwise", (...row) => {
    const [variable, option, value] = row;
    const home = temporaryFolder();
    const own = option.endsWith("file") ? "/own.pem" : "https://own.example.org";

    expect(readConfig({ home }, { [variable]: value }).server).toMatchObject({ [option]: value });
    expect(
      readConfig({ home }, { [variable]: value, [variableName(option)]: own }).server,
    ).toMatchObject({ [option]: own });
  });

  it("have the machine's certificates checked for packages, unless somebody names others, or none", () => {
    const debians = "/etc/ssl/certs/ca-certificates.crt";
    const fileIn = (home: string, variables = {}): string =>
      readConfig({ home }, variables).server.package_ca_file;

    expect(fileIn(temporaryFolder())).toBe(existsSync(debians) ? debians : "");
    expect(fileIn(temporaryFolder(), { PIP_CERT: "/etc/ssl/own.pem" })).toBe("/etc/ssl/own.pem");
    expect(fileIn(homeWith('package_ca_file = "/own.pem"\n'))).toBe("/own.pem");
    expect(fileIn(homeWith('package_ca_file = ""\n'))).toBe("");
  });

  it("are refused together, with the place of each", () => {
    const home = homeWith('domain = "no domain"\nnosuch = 1\n');

    expect(() => readConfig({ home, port: "x" }, { REEVE_PUSH_LIMIT: "0" })).toThrow(
      expect.objectContaining({
        code: "CONFIG_INVALID",
        message: expect.stringMatching(
          /server\.toml: nosuch.*\n.*domain.*\n--port: "x".*\nthe variable REEVE_PUSH_LIMIT: "0"/,
        ) as string,
      }),
    );
  });

  it("cannot be changed once they are read", () => {
    const config = readConfig({ home: temporaryFolder() }, {});

    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.server)).toBe(true);
  });

  it("tell where nginx listens: on loopback, and nowhere else", () => {
    const addresses = listenAddresses(readConfig({ home: temporaryFolder(), port: "8099" }, {}));

    expect(addresses[0]).toBe("127.0.0.1:8099");
    expect(["127.0.0.1:8099", "[::1]:8099"]).toEqual(expect.arrayContaining(addresses));
  });
});

describe("the configuration that reeve hands to its own processes", () => {
  const file =
    'domain = "example.org"\npackage_index = "https://u:secret@pypi.example.org/simple"\n';

  it("is read back as the same by the agent", () => {
    const config = readConfig({ home: homeWith(file), port: "8099" }, {});

    expect(readConfig({}, configVariables(config))).toEqual(config);
  });

  it("reaches the front without anything that may hold a credential", () => {
    const variables = frontVariables(readConfig({ home: homeWith(file) }, {}));

    expect(JSON.stringify(variables)).not.toContain("secret");
    expect(Object.keys(variables).filter((name) => name.includes("PACKAGE"))).toEqual([]);
    expect(variables).toMatchObject({ REEVE_DOMAIN: "example.org" });
  });

  it("keeps the front from the file, which holds credentials", () => {
    const home = homeWith(file);
    const front = readConfig({}, frontVariables(readConfig({ home }, {})));

    expect(front.server).toMatchObject({ domain: "example.org", package_index: "" });
  });
});
