import { describe, expect, it } from "vitest";
import {
  installRequirements,
  interpreterOf,
  listPackages,
  makeEnvironment,
} from "../../../../src/agent/environment/environment-commands.ts";

const build = {
  installer: { name: "uv", file: "/r/tools/uv/bin/uv" } as const,
  environment: "/srv/demo/envs/abc",
  python: "/usr/bin/python3",
  workshop: "/srv/demo/envs/.cache/995",
  scratch: "/srv/demo/envs/.cache/995/abc",
  variables: "",
  sources: { index: "", extraIndex: "", proxy: "", caFile: "" },
  as: { name: "reeve-build-1", uid: 995, gid: 994 },
  box: {
    processes: 512,
    memory: 4 * 2 ** 30,
    fileSize: 2 ** 30,
    openFiles: 4096,
    writable: ["/srv"],
  },
  deadline: 900_000,
};
const withPip = { ...build, installer: { name: "pip", file: "pip" } as const };
const files = {
  requirements: "/srv/demo/releases/c0ffee/requirements.txt",
  constraints: undefined,
  cwd: "/srv/demo/releases/c0ffee",
  keepsVersions: false,
  hasEditable: false,
  isForGood: false,
  isFromMachine: false,
};

describe("an environment", () => {
  it("is made by uv for exactly the interpreter that uWSGI loads", () => {
    expect(makeEnvironment(build)).toMatchObject({
      file: "/r/tools/uv/bin/uv",
      args: [
        "venv",
        "--quiet",
        "--allow-existing",
        "--python",
        "/usr/bin/python3",
        "/srv/demo/envs/abc",
      ],
    });
  });

  it("is made by that interpreter's own venv where there is no uv", () => {
    expect(makeEnvironment(withPip)).toMatchObject({
      file: "/usr/bin/python3",
      args: ["-m", "venv", "/srv/demo/envs/abc"],
    });
  });
});

describe("the requirements", () => {
  it("are installed by uv into the environment, compiled", () => {
    expect(installRequirements(build, files)).toMatchObject({
      file: "/r/tools/uv/bin/uv",
      args: [
        "pip",
        "install",
        "--python",
        "/srv/demo/envs/abc/bin/python",
        "--exact",
        "--upgrade",
        "--compile-bytecode",
        "--requirement",
        "/srv/demo/releases/c0ffee/requirements.txt",
      ],
      cwd: "/srv/demo/releases/c0ffee",
    });
  });

  it("are installed by the environment's own pip where there is no uv", () => {
    expect(installRequirements(withPip, files)).toMatchObject({
      file: "/srv/demo/envs/abc/bin/python",
      args: [
        "-m",
        "pip",
        "install",
        "--progress-bar",
        "off",
        "--requirement",
        "/srv/demo/releases/c0ffee/requirements.txt",
      ],
    });
  });

  it("are taken by pip from nothing that it built before, where files of the machine are asked for", () => {
    const env = (isFromMachine: boolean) =>
      installRequirements(withPip, { ...files, isFromMachine }).env;

    expect(env(true)).toEqual({ ...env(false), PIP_NO_CACHE_DIR: "1" });
  });

  it.each([build, withPip])(
    "are held to an earlier build's versions where there was one",
    (how) => {
      const command = installRequirements(how, { ...files, constraints: "/c/constraints.txt" });

      expect(command.args.slice(-2)).toEqual(["--constraint", "/c/constraints.txt"]);
    },
  );

  it("are listed afterwards, by either installer in pip's form", () => {
    expect(listPackages(build).args).toEqual([
      "pip",
      "freeze",
      "--python",
      interpreterOf("/srv/demo/envs/abc"),
    ]);
    expect(listPackages(withPip)).toMatchObject({
      file: "/srv/demo/envs/abc/bin/python",
      args: ["-m", "pip", "freeze"],
    });
  });
});

describe.each([
  ["uv", build],
  ["pip", withPip],
])("an installer: %s", (_, how) => {
  const sources = {
    index: "https://u:secret@pypi.example.org/simple",
    extraIndex: "https://v:hidden@more.example.org/simple",
    proxy: "http://w:veiled@proxy:3128",
    caFile: "/etc/ssl/own.pem",
  };
  const commands = (from = sources) => {
    const given = { ...how, sources: from };
    return [makeEnvironment(given), installRequirements(given, files), listPackages(given)];
  };

  it("runs as the builder, boxed, until its deadline, with folders of its own for all that it writes", () => {
    for (const command of commands()) {
      const writable = ["/srv", build.environment, build.workshop];
      const box = { ...build.box, writable };
      expect(command).toMatchObject({ as: build.as, box, deadline: 900_000 });
      expect(command.env).toMatchObject({
        HOME: "/srv/demo/envs/.cache/995/abc",
        TMPDIR: "/srv/demo/envs/.cache/995/abc/tmp",
        GIT_CEILING_DIRECTORIES: "/srv",
        PIP_CACHE_DIR: "/srv/demo/envs/.cache/995/pip",
        UV_CACHE_DIR: "/srv/demo/envs/.cache/995/uv",
      });
    }
  });

  it("keeps what it builds apart by what the options let packages see", () => {
    expect(listPackages({ ...how, variables: "0123456789abcdef" }).env).toMatchObject({
      PIP_CACHE_DIR: "/srv/demo/envs/.cache/995/pip/0123456789abcdef",
      UV_CACHE_DIR: "/srv/demo/envs/.cache/995/uv/0123456789abcdef",
    });
  });

  it("reads no configuration of the machine's, asks nothing and fetches no Python", () => {
    expect(commands()[1]?.env).toMatchObject({
      PIP_CONFIG_FILE: "/dev/null",
      PIP_NO_INPUT: "1",
      UV_NO_CONFIG: "1",
      UV_PYTHON_DOWNLOADS: "never",
    });
  });

  it("hears of indexes, proxy and certificates in its own words and in the other's", () => {
    expect(commands()[1]?.env).toMatchObject({
      PIP_INDEX_URL: "https://pypi.example.org/simple",
      UV_DEFAULT_INDEX: sources.index,
      PIP_EXTRA_INDEX_URL: "https://more.example.org/simple",
      UV_INDEX: sources.extraIndex,
      HTTPS_PROXY: sources.proxy,
      http_proxy: sources.proxy,
      PIP_CERT: sources.caFile,
      SSL_CERT_FILE: sources.caFile,
    });
  });

  it("is not told of what there is none of", () => {
    const none = { index: "", extraIndex: "", proxy: "", caFile: "" };

    for (const { env } of commands(none)) {
      expect(Object.keys(env ?? {}).filter((name) => /INDEX|PROXY|CERT/i.test(name))).toEqual([]);
      expect(Object.values(env ?? {})).not.toContain("");
    }
  });

  it("has no credential in its arguments, which every user of the machine can read", () => {
    for (const { file, args } of commands())
      expect([file, ...args].join(" ")).not.toMatch(/secret|hidden|veiled/);
  });

  it("tells pip none in an address, which that would hand on as an argument", () => {
    for (const { env = {} } of commands())
      expect(`${env["PIP_INDEX_URL"]} ${env["PIP_EXTRA_INDEX_URL"]}`).not.toContain("@");
  });
});
