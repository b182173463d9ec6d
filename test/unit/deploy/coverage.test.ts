import { describe, expect, it } from "vitest";
import { coverageOf } from "../../../src/deploy/coverage.ts";
import type { Preparation } from "../../../src/deploy/step.ts";

import { nobody, UnprivilegedHost } from "../../support/unit-identity.ts";

/** A deploy of whose context only this much is asked. */
function preparation(kept: string[]): { asked: number; preparation: Preparation } {
  const server = {
    ...{ build_processes: 100, build_address_space: 4096, build_file_size: 10 },
    ...{ build_open_files: 100, build_deadline: 60, python: "/usr/bin/python3" },
  };
  const seen = { asked: 0 };
  const context = {
    host: new UnprivilegedHost(),
    config: { server, layout: { home: "/nonexistent" } },
    store: {
      requirements: {
        coverage: () => kept.at(-1) ?? "",
        keepCoverage: (_: unknown, text: string) => kept.push(text),
      },
    },
    builders: {
      count: 1,
      use: (_: unknown, work: (builder: unknown) => unknown) => {
        seen.asked += 1;
        return work({ user: nobody, groups: [], isClean: true });
      },
    },
  };
  const signal = new AbortController().signal;
  return Object.assign(seen, {
    preparation: { context, deploy: {}, line: () => undefined, signal } as unknown as Preparation,
  });
}

const files = [{ path: "requirements.txt", text: "-f wheels\n-r nosuch.txt\n" }];

describe("what requirements cover", () => {
  it("is asked of pip's parser once, and then known", async () => {
    const kept: string[] = [];
    const text = "flask\n./libs/x  # ours\n";
    const deploy = preparation(kept);

    const first = await coverageOf(deploy.preparation, [{ path: "requirements.txt", text }]);
    const again = await coverageOf(deploy.preparation, [{ path: "requirements.txt", text }]);

    expect(first.local).toMatchObject([{ path: "libs/x" }]);
    expect(again).toEqual(first);
    expect([deploy.asked, kept.length]).toEqual([1, 1]);
  });

  it("is nothing without requirements, and nobody is asked", async () => {
    const deploy = preparation([]);

    expect((await coverageOf(deploy.preparation, [])).files).toEqual([]);
    expect(deploy.asked).toBe(0);
  });

  it("is asked again where what is kept is of another version", async () => {
    const deploy = preparation(['{"version":0}']);

    await coverageOf(deploy.preparation, [{ path: "requirements.txt", text: "flask\n" }]);

    expect(deploy.asked).toBe(1);
  });

  it("is refused where a file is missing", async () => {
    const refused = coverageOf(preparation([]).preparation, files);

    await expect(refused).rejects.toMatchObject({ code: "BUILD_TREE_INVALID" });
  });
});
