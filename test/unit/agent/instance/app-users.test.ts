import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { embeddedLayout } from "../../../../src/config/layout.ts";
import type { DeployContext } from "../../../../src/agent/world/context.ts";
import { userOf } from "../../../../src/agent/world/context.ts";
import { provideAppUsers, removeAppUsers } from "../../../../src/agent/instance/app-users.ts";
import { CommandFailed, type Command, type System } from "../../../../src/system/system.ts";
import { Turns } from "../../../../src/system/turns.ts";
import { AgentStore } from "../../../../src/agent/store/store.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";

/** A machine with these users, as getent(1) and shadow's tools see it. */
class Machine implements System {
  readonly isRoot = true;
  readonly users = new Map<string, { uid: number; comment: string }>();
  /** Those that getent does not list, as a directory service may have them. */
  readonly unlisted = new Set<string>();
  readonly ran: Command[] = [];

  run(command: Command): Promise<string> {
    this.ran.push(command);
    const { file, args } = command;
    if (file === "getent") return this.#look(args[1]);
    if (file === "useradd") return this.#add(command);
    if (args.some((word) => word.endsWith("open-folders.py")))
      return Promise.resolve("/tmp\0/srv/all\0");
    if (file === "userdel") this.users.delete(args.at(-1) ?? "");
    return Promise.resolve("");
  }

  #look(name: string | undefined): Promise<string> {
    const listed = [...this.users].filter(([user]) => name === undefined || user === name);
    return Promise.resolve(
      listed.map(([user, { uid, comment }]) => `${user}:x:${uid}:${uid}:${comment}::\n`).join(""),
    );
  }

  #add(command: Command): Promise<string> {
    const after = (option: string) => command.args[command.args.indexOf(option) + 1] ?? "";
    const name = command.args.at(-1) ?? "";
    const uid = Number(after("--uid"));
    const failing = (exitCode: number) =>
      Promise.reject(new CommandFailed(command, { output: "no", exitCode, timedOut: false }));
    if (this.users.has(name) || this.unlisted.has(name)) return failing(9);
    if ([...this.users.values()].some((user) => user.uid === uid)) return failing(4);
    this.users.set(name, { uid, comment: after("--comment") });
    return Promise.resolve("");
  }
}

function server(machine: Machine, home = "/r", first = 30_000): DeployContext {
  const store = new AgentStore(join(temporaryFolder(), "agent.db"));
  onTestFinished(() => store.close());
  return {
    system: machine,
    store,
    turns: new Turns(),
    config: {
      layout: embeddedLayout(home),
      server: { first_user_id: first, python: "/usr/bin/python3" },
    },
  } as unknown as DeployContext;
}

describe("the system users of an app", () => {
  it("are two, for itself and for its previews, with a name and a number that are free", async () => {
    const machine = new Machine();
    machine.users.set("reeve-demo", { uid: 30_001, comment: "somebody else's" });
    const context = server(machine);

    await provideAppUsers(context, "demo");

    expect(userOf(context, "demo")).toEqual({ name: "reeve-demo-2", uid: 30_000, gid: 30_000 });
    expect(userOf(context, "shop--demo")).toEqual({
      name: "reeve-demo-preview",
      uid: 30_002,
      gid: 30_002,
    });
  });

  it("are made once", async () => {
    const machine = new Machine();
    const context = server(machine);

    await provideAppUsers(context, "demo");
    await provideAppUsers(context, "demo");

    expect(machine.users.size).toBe(2);
  });

  it("are nobody's but this server's, also where another one has an app of that name", async () => {
    const machine = new Machine();
    const [one, other] = [server(machine, "/one"), server(machine, "/other")];

    await Promise.all([provideAppUsers(one, "demo"), provideAppUsers(other, "demo")]);

    const all = [one, other].flatMap((context) => [
      userOf(context, "demo").uid,
      userOf(context, "shop--demo").uid,
    ]);
    expect(new Set(all).size).toBe(4);
  });

  it("get another name where a directory service has the first one", async () => {
    const machine = new Machine();
    machine.unlisted.add("reeve-demo");
    const context = server(machine);

    await provideAppUsers(context, "demo");

    expect(userOf(context, "demo").name).toBe("reeve-demo-2");
  });

  it("are taken up where a crash came before they were on record", async () => {
    const machine = new Machine();
    machine.users.set("reeve-demo", { uid: 30_000, comment: "demo (reeve in /r)" });
    const context = server(machine);

    await provideAppUsers(context, "demo");

    expect(userOf(context, "demo")).toMatchObject({ name: "reeve-demo", uid: 30_000 });
  });

  it("are made again with their numbers where the machine has lost them", async () => {
    const machine = new Machine();
    const context = server(machine);
    await provideAppUsers(context, "demo");
    const before = userOf(context, "demo");
    machine.users.clear();

    await provideAppUsers(context, "demo");

    expect(userOf(context, "demo")).toEqual(before);
  });

  it("get new numbers where another machine has given theirs away", async () => {
    const machine = new Machine();
    const context = server(machine);
    await provideAppUsers(context, "demo");
    machine.users.clear();
    machine.users.set("ada", { uid: 30_000, comment: "" });

    await provideAppUsers(context, "demo");

    expect(userOf(context, "demo")).toMatchObject({ name: "reeve-demo", uid: 30_002 });
  });

  it("go with the app, and their numbers never come back", async () => {
    const machine = new Machine();
    const context = server(machine);
    await provideAppUsers(context, "demo");
    const before = userOf(context, "demo");
    machine.ran.length = 0;

    await removeAppUsers(context, "demo");

    expect(machine.users.size).toBe(0);
    expect(machine.ran.slice(0, 4).map(({ file, args }) => [file, args.at(-1)])).toEqual([
      ["/usr/bin/python3", String(before.uid)],
      ["/usr/bin/python3", String(before.uid)],
      ["/usr/bin/python3", expect.stringMatching(/walker\/__main__\.py$/)],
      ["userdel", before.name],
    ]);
    for (const folder of ["/tmp", "/srv/all"])
      expect(machine.ran[2]?.input).toContain(`sweep\0path=${folder}\0of=${before.uid}\0`);
    await provideAppUsers(context, "demo");
    expect(userOf(context, "demo")).toMatchObject({ name: "reeve-demo", uid: 30_002 });
  });

  it("are refused with a next step where no number is left", async () => {
    await expect(
      provideAppUsers(server(new Machine(), "/r", 59_999), "demo"),
    ).rejects.toMatchObject({ code: "SYSTEM_REFUSED" });
  });
});
