import { describe, expect, it } from "vitest";
import { findRoute } from "../../../../src/front/http/route.ts";

const types = {
  "upload-pack": "application/x-git-upload-pack-request",
  "receive-pack": "application/x-git-receive-pack-request",
};

function get(url: string, method = "GET") {
  return findRoute({ method, url, contentType: undefined });
}

function post(url: string, contentType: string | undefined, method = "POST") {
  return findRoute({ method, url, contentType });
}

describe("a request of git's", () => {
  it.each(["/demo.git", "/demo", "/git/demo.git", "/git/demo"])("is understood at %s", (path) => {
    for (const service of ["upload-pack", "receive-pack"] as const) {
      expect(get(`${path}/info/refs?service=git-${service}`)).toEqual({
        kind: "advertise",
        app: "demo",
        service,
      });
      expect(post(`${path}/git-${service}`, types[service])).toEqual({
        kind: "serve",
        app: "demo",
        service,
      });
    }
  });
});

describe("a request that is none of git's", () => {
  it.each([
    // threats H9
    ["nothing", "/"],
    ["no path", ""],
    ["an empty part", "//"],
    ["git's own folder twice", "/git/git/demo.git/info/refs?service=git-upload-pack"],
    ["git's own folder in capitals", "/GIT/demo.git/info/refs?service=git-upload-pack"],
    ["an empty part first", "//demo.git/info/refs?service=git-upload-pack"],
    ["the folder itself", "/."],
    ["an absolute address", "http://git.localhost/demo.git/info/refs?service=git-upload-pack"],
    ["a parameter in the path", "/demo.git;x/info/refs?service=git-upload-pack"],
    ["a path of 64 KB", `/${"a".repeat(65_536)}/info/refs?service=git-upload-pack`],
    ["a slash at the end", "/demo.git/git-upload-pack/"],
    ["a slash after the service", "/demo.git/info/refs/?service=git-upload-pack"],
    ["an ending in capitals", "/demo.GIT/info/refs?service=git-upload-pack"],
    ["a fragment", "/demo.git/git-upload-pack#x"],
    // A7: the path and one parameter decide, nothing that is added to them.
    ["no service", "/demo.git/info/refs"],
    ["another service", "/demo.git/info/refs?service=git-upload-archive"],
    ["two services", "/demo.git/info/refs?service=git-upload-pack&service=git-receive-pack"],
    ["a parameter before the service", "/demo.git/info/refs?x=1&service=git-upload-pack"],
    ["an escaped service", "/demo.git/info/refs?service=git%2dupload-pack"],
    ["a line break in the service", "/demo.git/info/refs?service=git-upload-pack\n"],
    // P1, P2, P3: paths
    ["a way up", "/../x/info/refs?service=git-upload-pack"],
    ["a way up, inside", "/a/../b/info/refs?service=git-upload-pack"],
    ["two parts", "/a/b/info/refs?service=git-upload-pack"],
    ["a part after the ending", "/a.git/b/info/refs?service=git-upload-pack"],
    ["an ending alone", "/.git/info/refs?service=git-upload-pack"],
    ["two endings", "/a.git.git/info/refs?service=git-upload-pack"],
    ["an ending and more", "/a.gitx/info/refs?service=git-upload-pack"],
    ["an ending inside", "/a.git.b/info/refs?service=git-upload-pack"],
    ["an escaped way up", "/%2e%2e%2fdemo/info/refs?service=git-upload-pack"],
    ["an escape of an escape", "/%252e/info/refs?service=git-upload-pack"],
    ["an overlong escape", "/%c0%ae/info/refs?service=git-upload-pack"],
    ["an escaped backslash", "/..%5c/info/refs?service=git-upload-pack"],
    ["an escaped zero byte", "/demo%00.git/info/refs?service=git-upload-pack"],
    ["an escaped line break", "/demo%0d%0a/info/refs?service=git-upload-pack"],
    ["a backslash", "/a\\b/info/refs?service=git-upload-pack"],
    ["an option", "/-rf/info/refs?service=git-upload-pack"],
    ["capitals", "/Demo.git/info/refs?service=git-upload-pack"],
    ["a name that is reeve's own", "/git/info/refs?service=git-upload-pack"],
    // H15: git's older protocol
    ["the head", "/demo.git/HEAD"],
    ["the configuration", "/demo.git/config"],
    ["the packs", "/demo.git/objects/info/packs"],
    ["an object", "/demo.git/objects/ab/cdef"],
    ["a hook", "/demo.git/hooks/pre-receive"],
  ])("is not found: %s", (_, url) => {
    for (const method of ["GET", "POST", "HEAD"]) {
      expect(findRoute({ method, url, contentType: types["upload-pack"] })).toMatchObject({
        status: 404,
      });
    }
  });

  it.each(["/demo.git/info/lfs/objects/batch", "/git/demo/info/lfs/locks/verify"])(
    "is answered in the form of Git LFS where that asks: %s",
    (url) => {
      expect(post(url, "application/vnd.git-lfs+json")).toMatchObject({ status: 404, isLfs: true });
    },
  );

  it("that names its service twice over is not found either", () => {
    expect(
      post("/demo.git/git-receive-pack?service=git-upload-pack", types["receive-pack"]),
    ).toMatchObject({ status: 404 });
  });

  it.each(["POST", "HEAD", "PUT", "OPTIONS", "DELETE", ""])(
    "by %j is not allowed where refs are asked for",
    (method) => {
      expect(get("/demo.git/info/refs?service=git-upload-pack", method)).toEqual({
        status: 405,
        message: `${method} is not answered here`,
      });
    },
  );

  it.each(["GET", "HEAD", "PUT", "OPTIONS"])(
    "by %j is not allowed where git is to run",
    (method) => {
      expect(post("/demo.git/git-receive-pack", types["receive-pack"], method)).toMatchObject({
        status: 405,
      });
    },
  );

  it.each([
    undefined,
    "",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    types["upload-pack"],
    `${types["receive-pack"]}; charset=utf-8`,
    types["receive-pack"].toUpperCase(),
  ])("of the type %j is not taken for a push: a form on a page could send it", (contentType) => {
    expect(post("/demo.git/git-receive-pack", contentType)).toEqual({
      status: 415,
      message: "git-receive-pack takes application/x-git-receive-pack-request",
    });
  });

  it("is answered in words that show what was asked, quoted and cut", () => {
    const route = get(`/${"X\u001b".repeat(100)}/info/refs?service=git-upload-pack`);

    expect(route).toMatchObject({
      status: 404,
      message: {
        code: "APP_NAME_INVALID",
        message: `"${"X\\u001b".repeat(30)}" cannot be the name of an app`,
      },
    });
  });
});
