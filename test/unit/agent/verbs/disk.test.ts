import { describe, expect, it } from "vitest";
import { measureDisk } from "../../../../src/agent/verbs/disk.ts";
import {
  CommandFailed,
  type Command,
  type System,
  type RunOptions,
} from "../../../../src/system/system.ts";
import { agentWorld } from "../../../support/unit-agent.ts";

/** A walker that counts until it is let go, and then tells these numbers. */
class SlowHost implements System {
  readonly isRoot = false;
  readonly commands: Command[] = [];
  running = 0;
  most = 0;
  readonly #bytes: (errand: number) => number;
  #release: () => void = () => undefined;
  readonly #released: Promise<void>;

  constructor(bytes: (errand: number) => number = () => 0) {
    this.#bytes = bytes;
    this.#released = new Promise((resolve) => (this.#release = resolve));
  }

  letGo(): void {
    this.#release();
  }

  async run(command: Command, { signal }: RunOptions = {}): Promise<string> {
    this.commands.push(command);
    this.running += 1;
    this.most = Math.max(this.most, this.running);
    const ended = new Promise<never>((_, reject) =>
      signal?.addEventListener("abort", () => reject(signal.reason as Error)),
    );
    try {
      await Promise.race([this.#released, ended]);
    } finally {
      this.running -= 1;
    }
    const errands = command.input?.split("measure\0").length ?? 1;
    return Array.from({ length: errands - 1 }, (_, errand) => `${this.#bytes(errand)}\n`).join("");
  }
}

function setUp(system: System) {
  const { context } = agentWorld();
  const world = { ...context, system };
  return (gone = new AbortController().signal) => measureDisk(world, "demo", gone);
}

describe("what an app takes on the disk", () => {
  it("is counted for one of those who ask at a time, in bounds", async () => {
    const host = new SlowHost();
    const ask = setUp(host);
    const answers = Array.from({ length: 5 }, () => ask());

    host.letGo();
    await Promise.all(answers);

    expect(host.most).toBe(1);
    for (const { deadline, limits } of host.commands) {
      expect(deadline).toBeLessThanOrEqual(30_000);
      expect(limits?.memory).toBeLessThanOrEqual(2 ** 29);
    }
  });

  it("is counted no more when whoever asked has gone, who keeps nobody waiting either", async () => {
    const host = new SlowHost();
    const ask = setUp(host);
    const [first, second] = [new AbortController(), new AbortController()];
    const leaving = [ask(first.signal), ask(second.signal)];
    const staying = ask();

    second.abort();
    first.abort();

    for (const answer of leaving) await expect(answer).rejects.toMatchObject({ code: "PUSH_GONE" });
    host.letGo();
    expect(await staying).toMatchObject([{ of: "app", data: 0 }]);
  });

  it("is never less than nothing, where what is built meanwhile grows between two counts", async () => {
    // Releases, environments, caches, data: nothing is on the air.
    const host = new SlowHost((errand) => [0, 100, 900][errand] ?? 0);
    host.letGo();

    expect(await setUp(host)()).toMatchObject([{ environments: 0, caches: 900, mayGo: 900 }]);
  });

  it("is not known where it cannot be counted", async () => {
    const failing: System = {
      isRoot: false,
      run: (command) => Promise.reject(new CommandFailed(command, { output: "", timedOut: true })),
    };

    expect(await setUp(failing)()).toMatchObject([
      { of: "app", releases: null, data: null, repository: null, mayGo: null },
    ]);
  });
});
