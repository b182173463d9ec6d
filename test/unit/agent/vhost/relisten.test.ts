import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { relisten, sharedHostsIn } from "../../../../src/agent/vhost/relisten.ts";
import { isUntouched, sign } from "../../../../src/system/signature.ts";
import { temporaryFolder, writeFiles } from "../../../support/unit-folder.ts";

const block = (listen: string[], rest = "server_name demo.localhost;"): string =>
  [
    "# demo\n# Written by reeve (unsigned).\nserver {",
    ...listen.map((address) => `\tlisten ${address};`),
    `\t${rest}\n}\n`,
  ].join("\n");
const former = ["127.0.0.1:8080", "[::1]:8080"];
const wanted = ["192.0.2.10:80", "[2001:db8::10]:80"];

function sites(files: Record<string, string>) {
  const available = temporaryFolder();
  mkdirSync(available, { recursive: true });
  writeFiles(available, files);
  return {
    available,
    textOf: (name: string) => readFileSync(join(available, `${name}.conf`), "utf8"),
  };
}

describe("server blocks of before", () => {
  it("listen where they are to by now, and are reeve's own as before", async () => {
    const { available, textOf } = sites({ "demo.conf": sign(block(former)) });

    expect(await relisten({ available }, [{ name: "demo", listen: wanted }])).toEqual([]);

    expect(textOf("demo")).toBe(sign(block(wanted)));
    expect(isUntouched(textOf("demo"))).toBe(true);
  });

  it("are left alone where somebody edited them, and named where they listen elsewhere", async () => {
    const edited = sign(block(former)).replace("server_name", "gzip on;\n\tserver_name");
    const right = edited
      .replace("127.0.0.1:8080", "192.0.2.10:80 ssl")
      .replace("[::1]:8080", "[2001:db8::10]:80");
    const near = edited
      .replace("127.0.0.1:8080", "192.0.2.10:8080")
      .replace("[::1]:8080", "[2001:db8::10]:80");
    const { available, textOf } = sites({ "a.conf": edited, "b.conf": right, "c.conf": near });

    const left = await relisten(
      { available },
      ["a", "b", "c", "gone"].map((name) => ({ name, listen: wanted })),
    );

    expect(left).toEqual(["a", "c"]);
    expect([textOf("a"), textOf("b"), textOf("c")]).toEqual([edited, right, near]);
  });

  it("are not touched where they are locations, whose hosts have files of their own", async () => {
    const location = sign("# x\n# Written by reeve (unsigned).\nlocation /x/ {\n}\n");
    const { available, textOf } = sites({
      "x--demo.conf": location,
      "shared-host.preview.localhost.conf": sign(block(former)),
    });

    expect(await sharedHostsIn({ available })).toEqual(["shared-host.preview.localhost"]);
    await relisten({ available }, [{ name: "x--demo", listen: wanted }]);

    expect(textOf("x--demo")).toBe(location);
  });
});
