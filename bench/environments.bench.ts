import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";
import { plainApp } from "../test/support/apps.ts";
import { TestServer } from "../test/support/server.ts";
import { fromWheels } from "../test/support/wheels.ts";
import type { Workspace } from "../test/support/workspace.ts";
import { succeeds } from "./outcome.ts";
import { printTable, type Cell } from "./table.ts";

const rounds = Number(process.env["ROUNDS"] ?? 7);
/** With what they need, 40 packages. */
const django = [
  ...["django==4.2.16", "djangorestframework==3.15.2", "django-filter==24.3"],
  ...["django-cors-headers==4.4.0", "django-extensions==3.2.3", "django-debug-toolbar==4.4.6"],
  ...["django-storages==1.14.4", "django-redis==5.4.0", "celery==5.4.0", "redis==5.0.8"],
  ...["gunicorn==23.0.0", "whitenoise==6.7.0", "pillow==10.4.0", "psycopg2-binary==2.9.9"],
  ...["markdown==3.7", "pyyaml==6.0.2", "python-dotenv==1.0.1"],
];
const [older, newer] = ["requests==2.32.2", "requests==2.32.3"];

/** What the step `environment` takes, and the push that it is part of. Installers' caches are warm. */
describe("a Django of 40 packages", () => {
  const rows: Cell[][] = [];
  let wheels: string;
  let server: TestServer;

  beforeAll(async () => {
    wheels = fetchWheels();
    server = await TestServer.start([], { visited: true });
  });
  afterAll(async () => {
    await server.remove();
    printTable([`ms (median of ${rounds})`, "step environment", "push"], rows);
  });

  it("one changed requirement", async () => {
    const requirements = (line: string) => ({
      "requirements.txt": fromWheels(wheels, ...django, line),
    });
    const demo = await server.workspace("demo", { ...plainApp("demo"), ...requirements(older) });
    await succeeds(demo.push());
    const change = (round: number) =>
      requirements(`${round % 2 === 0 ? newer : older} # round ${round}`);
    rows.push(["one changed requirement", ...(await measure(server, "demo", demo, change))]);
  });

  it("README of a project that is installed itself", async () => {
    const shop = await server.workspace("shop", {
      ...plainApp("shop"),
      "requirements.txt": fromWheels(wheels, "."),
      "pyproject.toml": `[project]\nname = "shop"\nversion = "1"\ndependencies = ${JSON.stringify(django.slice(0, 4))}\n`,
      "src/shop/__init__.py": "",
    });
    await succeeds(shop.push());
    const change = (round: number) => ({ README: `round ${round}\n` });
    rows.push([
      "README of a project that is installed",
      ...(await measure(server, "shop", shop, change)),
    ]);
  });
});

async function measure(
  server: TestServer,
  name: string,
  workspace: Workspace,
  change: (round: number) => Record<string, string>,
): Promise<[number[], number[]]> {
  const steps: number[] = [];
  const pushes: number[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    await server.settled(name);
    const began = performance.now();
    const { output } = await workspace.deploy(change(round));
    const took = performance.now() - began;
    const step = /environment {2}built with uv, \d+ packages? +([\d.]+) (m?s)/.exec(output);
    if (!step) throw new Error(output);
    // The first round warms the caches.
    if (round === 0) continue;
    pushes.push(took);
    steps.push(Number(step[1]) * (step[2] === "s" ? 1000 : 1));
  }
  return [steps, pushes];
}

/** Once for all turns of a comparison, from PyPI. */
function fetchWheels(): string {
  const folder = join(tmpdir(), "reeve-bench-wheels");
  if (existsSync(folder)) return folder;
  const fresh = mkdtempSync(join(tmpdir(), "reeve-bench-"));
  chmodSync(fresh, 0o755);
  execFileSync("/usr/bin/python3", ["-m", "venv", join(fresh, "venv")]);
  const pip = join(fresh, "venv/bin/pip");
  const download = ["download", "--quiet", "--disable-pip-version-check", "--dest"];
  execFileSync(pip, [...download, fresh, ...django, newer, "setuptools"]);
  execFileSync(pip, [...download, fresh, "--no-deps", older]);
  rmSync(join(fresh, "venv"), { recursive: true });
  renameSync(fresh, folder);
  return folder;
}
