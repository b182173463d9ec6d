import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { Supervised, type Service } from "../../../src/system/supervisor.ts";
import { eventually } from "../../support/server.ts";
import { temporaryFolder } from "../../support/unit-folder.ts";

describe("a service that is kept running", () => {
  const path = process.env["PATH"] ?? "";

  async function start(change: Partial<Service> = {}): Promise<{
    supervised: Supervised;
    service: Service;
    said: string[];
    folder: string;
    end: () => void;
  }> {
    const folder = join(temporaryFolder(), "log");
    mkdirSync(folder);
    const service: Service = {
      name: "service",
      file: "sleep",
      args: ["1000"],
      env: { PATH: path },
      log: join(folder, "service.log"),
      ready: () => Promise.resolve(true),
      ...change,
    };
    const said: string[] = [];
    const supervised = new Supervised(service, (line) => said.push(line));
    onTestFinished(() => supervised.stop(1000));
    await supervised.start();
    const end = (): void => void process.kill(supervised.pid ?? 0, "SIGKILL");
    return { supervised, service, said, folder, end };
  }

  const isAnother = (supervised: Supervised, former: number | undefined): boolean =>
    supervised.pid !== undefined && supervised.pid !== former;

  it("is started again, and leaves no file open where it was", async () => {
    const { supervised, end } = await start();
    const former = supervised.pid;
    const open = (): number => readdirSync("/proc/self/fd").length;
    const before = open();

    end();
    await eventually(() => isAnother(supervised, former));

    expect(open()).toBeLessThanOrEqual(before);
  });

  it("is started again when its log can be opened again", async () => {
    const { supervised, folder, said, end } = await start();
    const former = supervised.pid;
    rmSync(folder, { recursive: true });

    end();
    await eventually(() => said.some((line) => line.includes("ENOENT")));
    mkdirSync(folder);
    await eventually(() => isAnother(supervised, former));

    expect(readFileSync(join(folder, "service.log"), "utf8")).toBe("");
  });

  it("is started again when the system starts processes again", async () => {
    const { supervised, service, said, end } = await start();
    const former = supervised.pid;
    service.env["PATH"] = "/nowhere";

    end();
    await eventually(() => said.some((line) => line.includes("ENOENT")));
    service.env["PATH"] = path;

    await eventually(() => isAnother(supervised, former));
  });
});
