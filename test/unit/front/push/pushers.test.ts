import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { findProcess } from "../../../../src/system/processes.ts";
import { UserError } from "../../../../src/errors.ts";
import type { Holder } from "../../../../src/names/deploy.ts";
import { holderOf, Pushers, type Pusher } from "../../../../src/front/push/pushers.ts";

const admin: Pusher = {
  caller: { account: "admin", via: "http", proof: "administrator" },
  app: "demo",
};

const policy = { productionBranch: "main", previews: "all", root: "" };

function pushersTelling(onGone: (holder: Holder) => void): Pushers {
  return new Pushers({
    policyOf: () => Promise.resolve(policy),
    onGone: ({ holder }) => onGone(holder),
  });
}

describe("whose push a process carries", () => {
  it("is known from its start to its end, by its number and its app", async () => {
    const gone: unknown[] = [];
    const pushers = pushersTelling((holder) => gone.push(holder));

    pushers.started(process.pid, admin);
    const found = pushers.find(process.pid, "demo");
    pushers.ended(process.pid);

    expect(found).toMatchObject({ ...admin, holder: holderOf(process.pid) });
    expect(await found?.policy).toEqual(policy);
    expect(gone).toEqual([holderOf(process.pid)]);
    expect(pushers.find(process.pid, "demo")).toBeUndefined();
  });

  it("is nobody's that did not start here, nor another app's", () => {
    const pushers = pushersTelling(() => undefined);
    pushers.started(process.pid, admin);

    expect(pushers.find(process.pid, "shop")).toBeUndefined();
    expect(pushers.find(1, "demo")).toBeUndefined();
  });

  it("does not end the front where the agent cannot say its policy", async () => {
    const down = new UserError("SERVER_DOWN", "no answer");
    const pushers = new Pushers({
      policyOf: () => Promise.reject(down),
      onGone: () => undefined,
    });

    pushers.started(process.pid, admin);

    await expect(pushers.find(process.pid, "demo")?.policy).rejects.toBe(down);
  });

  it("ends once", () => {
    let ended = 0;
    const pushers = pushersTelling(() => (ended += 1));
    pushers.started(process.pid, admin);

    pushers.ended(process.pid);
    pushers.ended(process.pid);
    pushers.ended(1);

    expect(ended).toBe(1);
  });

  it("ends by itself when the process is gone, whoever's child it was", async () => {
    const gone: unknown[] = [];
    const pushers = pushersTelling((holder) => gone.push(holder));
    const child = spawn("sleep", ["60"]);
    pushers.started(child.pid!, admin);
    pushers.started(process.pid, admin);

    await pushers.sweep();
    expect(gone).toEqual([]);
    child.kill("SIGKILL");
    await once(child, "exit");
    await pushers.sweep();

    expect(gone).toMatchObject([{ pid: child.pid }]);
    expect(pushers.find(process.pid, "demo")).toBeDefined();
  });
});

describe("a holder", () => {
  it("is a process with the time at which it began, and a turn", async () => {
    expect(holderOf(process.pid, 3)).toEqual({ ...(await findProcess(process.pid)), turn: 3 });
    expect(holderOf(process.pid)).toMatchObject({ turn: 0 });
  });

  it("can still be named when it has ended and nobody has asked about it", async () => {
    const child = spawn("true");
    const holder = holderOf(child.pid!);
    await once(child, "exit");

    expect(holder.startTime).toBeGreaterThan(0);
    expect(await findProcess(child.pid!)).toBeUndefined();
  });
});
