import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Layout } from "../../../../src/config/layout.ts";
import { socketBehind, socketStem } from "../../../../src/names/instance.ts";
import { takeFormerLinks } from "../../../../src/agent/reconcile/former-links.ts";
import { linkedSocket } from "../../../../src/agent/world/links.ts";
import { pathsOf } from "../../../../src/agent/world/context.ts";
import { isUntouched, sign } from "../../../../src/system/signature.ts";
import { CommandFailed, type Command } from "../../../../src/system/system.ts";
import { UnprivilegedSystem } from "../../../support/unit-identity.ts";
import { agentWorld, place, type AgentWorld } from "../../../support/unit-agent.ts";
import { ServingSystem } from "../../../support/unit-serving.ts";

/** Prints what an nginx that does not run would read here. */
class PrintingSystem extends UnprivilegedSystem {
  readonly #layout: Layout;
  refuses = false;

  constructor(layout: Layout) {
    super();
    this.#layout = layout;
  }

  override run(command: Command): Promise<string> {
    expect([command.file, ...command.args.slice(4)]).toEqual(["nginx", "-T", "-q"]);
    if (this.refuses)
      throw new CommandFailed(command, { output: "no", exitCode: 1, timedOut: false });
    const { sitesAvailable: folder } = this.#layout;
    const texts = readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
    return Promise.resolve(texts.join(""));
  }
}

const blockTo = (socket: string): string => `server {
# Written by reeve (unsigned).
  location / { proxy_pass http://unix:${socket}; }
}
`;

const long = "a-branch-with-a-name-that-is-long";

interface FormerWorld extends AgentWorld {
  system: PrintingSystem;
  former: (name: string) => string;
  present: (name: string) => string;
  textOf: (name: string) => string;
}

/** A server that has led nginx straight to the sockets: an app, a preview whose block somebody edited, one more. */
function formerWorld(): FormerWorld {
  const world = agentWorld();
  const { context, layout } = world;
  const system = new PrintingSystem(layout);
  Object.assign(context, { system });
  const sockets = join(layout.state, "sockets");
  const former = (name: string): string => join(sockets, `${socketStem(name)}.sock`);
  const present = (name: string): string => socketBehind(pathsOf(context, name).link);
  const textOf = (name: string): string =>
    readFileSync(join(layout.sitesAvailable, `${name}.conf`), "utf8");
  rmSync(layout.links, { recursive: true });
  mkdirSync(sockets);
  context.store.instances.place({
    ...{ name: "demo", app: "demo", branch: "main" },
    place: { scheme: "http", host: "demo.localhost", path: "/", port: 0 },
  });
  place(world, "mine");
  place(world, long);
  for (const name of ["demo", "mine--demo", `${long}--demo`]) {
    writeFileSync(vassalsSocket(layout, name), "");
    symlinkSync(vassalsSocket(layout, name), former(name));
    const text = sign(blockTo(former(name)));
    const edited = name === "mine--demo" ? `${text}# mine\n` : text;
    writeFileSync(join(layout.sitesAvailable, `${name}.conf`), edited);
  }
  return { ...world, system, former, present, textOf };
}

function vassalsSocket({ sockets }: Layout, name: string): string {
  return join(sockets, `${socketStem(name)}.sock`);
}

/** nginx runs, so that whoever opened the former path does so still. */
async function serving(world: FormerWorld): Promise<void> {
  Object.assign(world.context, { system: await ServingSystem.start(world.layout) });
}

describe("a server whose nginx opened links to the sockets themselves", () => {
  it("has them led to what nginx opens today, which leads where they did", async () => {
    const world = formerWorld();
    const { context, layout, former, present } = world;
    await serving(world);

    await takeFormerLinks(context);

    for (const name of ["demo", "mine--demo", `${long}--demo`]) {
      expect(await linkedSocket(pathsOf(context, name).link)).toBe(vassalsSocket(layout, name));
      expect(readlinkSync(former(name))).toBe(present(name));
    }
    expect(statSync(layout.links).mode & 0o777).toBe(0o755);
  });

  it("has the server blocks name that which reeve wrote, and they are reeve's still; edited ones stay", async () => {
    const { context, former, present, textOf } = formerWorld();

    await takeFormerLinks(context);

    expect(textOf("demo")).toBe(sign(blockTo(present("demo"))));
    expect(isUntouched(textOf(`${long}--demo`))).toBe(true);
    expect(textOf(`${long}--demo`)).toContain(present(`${long}--demo`));
    expect(textOf("mine--demo")).toBe(`${sign(blockTo(former("mine--demo")))}# mine\n`);
  });

  it("keeps the former path of who names it, which follows every move", async () => {
    const { context, layout, former } = formerWorld();
    await takeFormerLinks(context);
    const understudy = join(layout.sockets, "mine--demo.next-2.sock");
    writeFileSync(understudy, "");

    await context.links.point(pathsOf(context, "mine--demo").link, understudy);

    expect(realpathSync(former("mine--demo"))).toBe(realpathSync(understudy));
    expect(readdirSync(join(layout.state, "sockets"))).toEqual(["mine--demo.sock"]);
  });

  it("has nothing left of it when nobody names one any more", async () => {
    const { context, layout } = formerWorld();
    await takeFormerLinks(context);
    rmSync(join(layout.sitesAvailable, "mine--demo.conf"));
    symlinkSync("/nowhere", join(layout.state, "sockets", ".demo.sock.tmp"));

    await takeFormerLinks(context);

    expect(existsSync(join(layout.state, "sockets"))).toBe(false);
    await takeFormerLinks(context);
  });

  it("keeps them all while nginx runs, whose workers of before may open them", async () => {
    const world = formerWorld();
    await serving(world);

    await takeFormerLinks(world.context);

    expect(readdirSync(join(world.layout.state, "sockets"))).toHaveLength(3);
  });

  it("keeps them all where nginx does not say what it names", async () => {
    const { context, layout, system } = formerWorld();
    system.refuses = true;

    await takeFormerLinks(context);

    expect(readdirSync(join(layout.state, "sockets"))).toHaveLength(3);
  });

  it("goes on where a stop came between, by what the former link says", async () => {
    const { context, layout, former, present, textOf } = formerWorld();
    await takeFormerLinks(context);
    const understudy = join(layout.sockets, "demo.next-2.sock");
    mkdirSync(join(layout.state, "sockets"), { recursive: true });
    symlinkSync("../../run/sockets/demo.next-2.sock", former("demo"));
    writeFileSync(join(layout.sitesAvailable, "demo.conf"), sign(blockTo(former("demo"))));

    await takeFormerLinks(context);

    expect(await linkedSocket(pathsOf(context, "demo").link)).toBe(understudy);
    expect(textOf("demo")).toBe(sign(blockTo(present("demo"))));
  });

  it("takes the others over where one is no link", async () => {
    const { context, former, present, textOf } = formerWorld();
    rmSync(former("demo"));
    writeFileSync(former("demo"), "");

    await takeFormerLinks(context);

    expect(textOf("demo")).toContain(former("demo"));
    expect(existsSync(former("demo"))).toBe(true);
    expect(textOf(`${long}--demo`)).toContain(present(`${long}--demo`));
  });

  it("is left alone the second time", async () => {
    const world = formerWorld();
    const { context, layout, former } = world;
    await serving(world);
    await takeFormerLinks(context);
    const look = (): unknown[] => [
      readlinkSync(pathsOf(context, "demo").link),
      ...[join(layout.sitesAvailable, "demo.conf"), former("demo")].map(
        (path) => statSync(path).ino,
      ),
    ];
    const before = look();

    await takeFormerLinks(context);

    expect(look()).toEqual(before);
  });
});

describe("a server that never led nginx to the sockets themselves", () => {
  it("is left as it is", async () => {
    const { context, layout } = agentWorld();

    await takeFormerLinks(context);

    expect(readdirSync(layout.state).sort()).toEqual(["agent", "links", "repositories"]);
  });
});
