import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../test/support/apps.ts";
import { TestServer } from "../test/support/server.ts";
import { fromWheels } from "../test/support/wheels.ts";
import { printTable, type Cell } from "./table.ts";

const rounds = Number(process.env["ROUNDS"] ?? 10);

const packages = [
  ...["Django==4.2.16", "asgiref==3.8.1", "sqlparse==0.5.1", "djangorestframework==3.15.2"],
  ...["django-filter==24.3", "django-cors-headers==4.4.0", "django-environ==0.11.2"],
  ...["django-storages==1.14.4", "django-extensions==3.2.3", "celery==5.4.0", "kombu==5.4.2"],
  ...["billiard==4.2.1", "vine==5.1.0", "amqp==5.2.0", "click==8.1.7", "click-didyoumean==0.3.1"],
  ...["click-plugins==1.1.1", "click-repl==0.3.0", "prompt_toolkit==3.0.48", "wcwidth==0.2.13"],
  ...["tzdata==2024.2", "python-dateutil==2.9.0.post0", "six==1.16.0", "requests==2.32.3"],
  ...["idna==3.10", "urllib3==2.2.3", "certifi==2024.8.30", "charset-normalizer==3.3.2"],
  ...["gunicorn==23.0.0", "packaging==24.1", "whitenoise==6.7.0"],
];

/** What the step `environment` takes that builds a Django with 30 packages, whose wheels are on the disk. */
describe("the environment of a Django with 30 packages", () => {
  let server: TestServer;
  const folder = mkdtempSync(join(tmpdir(), "reeve-wheels-"));
  const rows: Cell[][] = [];

  beforeAll(async () => {
    fetchWheels(folder);
    server = await TestServer.start([], { visited: true });
  });
  afterAll(async () => {
    await server.remove();
    rmSync(folder, { recursive: true });
    printTable([`step environment, ms (median of ${rounds})`, "first push", "rebuild"], rows);
  });

  it("is built at the first push, and anew by a rebuild", async () => {
    const workspace = await server.workspace("django", {
      ...plainApp("start"),
      "requirements.txt": fromWheels(folder, ...packages),
    });
    await server.reeve("create", "django");
    const first = took(await workspace.push());
    const rebuilds: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      await server.settled("django");
      rebuilds.push(took(await server.reeve("rebuild", "django")));
    }
    rows.push(["Django with 30 packages", [first], rebuilds]);
  });
});

/** By the pip of the interpreter for which they are. */
function fetchWheels(folder: string): void {
  chmodSync(folder, 0o755);
  const own = mkdtempSync(join(tmpdir(), "reeve-pip-"));
  execFileSync("/usr/bin/python3", ["-m", "venv", own]);
  const words = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", folder];
  execFileSync(join(own, "bin/pip"), [...words, ...packages]);
  rmSync(own, { recursive: true });
}

function took({ exitCode, output }: { exitCode: number; output: string }): number {
  expect(exitCode, output).toBe(0);
  const [, time = "", unit] = /environment +built .* ([\d.]+) (ms|s)\s*$/m.exec(output) ?? [];
  return Number(time) * (unit === "s" ? 1000 : 1);
}
