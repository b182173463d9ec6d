import { Readable } from "node:stream";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { UserError } from "../../../../src/errors.ts";
import { firstLook, readHead, type Head } from "../../../../src/front/push/first-look.ts";
import type { HookWorld } from "../../../../src/front/push/hook-world.ts";

const zero = "0".repeat(40);
const one = "1".repeat(40);
const packet = (text: string): string => (text.length + 4).toString(16).padStart(4, "0") + text;
const line = (ref: string, more = ""): string => packet(`${zero} ${one} ${ref}${more}\n`);
const usual = "\0report-status side-band-64k";

/** Each piece comes when the one before it has been read. */
function headOf(...pieces: string[]): Promise<Head> {
  const coming = pieces.filter((piece) => piece !== "");
  const body = new Readable({
    highWaterMark: 1,
    read: () => queueMicrotask(() => body.push(coming.shift() ?? null)),
  });
  return readHead(body);
}

describe("the head of a push", () => {
  it("is what stands before the pack, in whichever pieces it comes", async () => {
    const text = `${line("refs/heads/main", usual)}${line("refs/heads/other")}0000`;
    const updates = ["refs/heads/main", "refs/heads/other"].map((ref) => ({
      ref,
      oldCommit: zero,
      newCommit: one,
    }));

    for (const pieces of [
      [`${text}PACK`],
      text.match(/./gs) ?? [],
      [text.slice(0, 50), text.slice(50)],
    ]) {
      const head = await headOf(...pieces);
      expect(head).toMatchObject({ updates, capabilities: ["report-status", "side-band-64k"] });
      expect(head.bytes.toString().startsWith(text)).toBe(true);
    }
  });

  it("leaves out where a shallow clone ends", async () => {
    const rest = `${line("refs/heads/x", usual)}0000PACK`;
    const head = await headOf(packet(`shallow ${one}`), packet(`shallow ${zero}\n`), rest);

    expect(head.updates.map(({ ref }) => ref)).toEqual(["refs/heads/x"]);
    expect(head).toMatchObject({ bytes: Buffer.from(rest), isShallow: true });
  });

  it.each([
    ["nothing", ""],
    ["a flush", "0000"],
    ["no end", line("refs/heads/x", usual)],
    ["no length", `${line("refs/heads/x", usual)}zzzz`],
    ["a length that is none", `${line("refs/heads/x", usual)}0003`],
    ["a line of words", `${line("refs/heads/x", usual)}${packet("main main main")}0000`],
  ])("is left to git to refuse: %s", async (_, text) => {
    expect(await headOf(text)).toMatchObject({ updates: [], problem: undefined });
  });

  it("ends where it is too long", async () => {
    const lines = Array.from({ length: 20_000 }, (_, at) => line(`refs/heads/x${at}`));

    expect((await headOf(line("refs/heads/y", usual), lines.join(""))).problem?.code).toBe(
      "REF_REFUSED",
    );
  });

  it("that is signed is no head", async () => {
    const text = `${packet(`push-cert${usual}`)}${packet("certificate version 0.1\n")}0000`;

    expect((await headOf(text)).problem?.message).toContain("signed");
  });
});

describe("a first look at a push", () => {
  const allowed = new Set(["pushBranch"]);
  const judged: string[] = [];
  const recorded: string[] = [];
  const world = {
    hasRight: (_: unknown, action: string) => allowed.has(action),
    judgeRight: (_: unknown, action: string, { ref }: { ref: string }) => {
      judged.push(ref);
      if (!allowed.has(action)) throw new UserError("NOT_ALLOWED", `eve may not push ${ref}`);
    },
    recordPush: (
      _: unknown,
      action: string,
      { update, refusal }: Parameters<HookWorld["recordPush"]>[2],
    ) => recorded.push(`${action} ${update.ref} ${refusal?.code}`),
    log: pino({ level: "silent" }),
  } as unknown as HookWorld;
  const pusher = {
    caller: { account: "eve", via: "http", proof: "administrator" },
    app: "demo",
    policy: Promise.resolve({ productionBranch: "main", previews: "all", root: "" }),
  } as const;
  const look = async (...lines: string[]): Promise<string | undefined> => {
    judged.length = recorded.length = 0;
    const head = await headOf(`${lines.join("")}0000`);
    return (await firstLook(world, pusher, head))?.toString("latin1");
  };

  it("lets git go on where one of the refs may move, and writes nothing down", async () => {
    expect(await look(line("refs/heads/main", usual), line("refs/heads/x"))).toBeUndefined();
    expect([...judged, ...recorded]).toEqual([]);
  });

  it("answers in git's place where none may", async () => {
    const answer = await look(line("refs/heads/main", usual), line("refs/notes/x"));

    expect(answer).toContain("\x02error[NOT_ALLOWED]: eve may not push refs/heads/main\n");
    expect(answer).toContain("unpack ok\n");
    expect(answer).toContain("ng refs/heads/main NOT_ALLOWED\n");
    expect(answer).toContain("ng refs/notes/x NOT_ALLOWED\n");
    expect(answer?.endsWith("00000000")).toBe(true);
    expect(judged).toEqual(["refs/heads/main", "refs/notes/x"]);
    expect(recorded).toEqual([
      "pushProduction refs/heads/main NOT_ALLOWED",
      "pushProduction refs/notes/x NOT_ALLOWED",
    ]);
  });

  it("tells it by the reason alone to a client without a band for words", async () => {
    expect(await look(line("refs/heads/main", "\0report-status"))).toBe(
      `${packet("unpack ok\n")}${packet("ng refs/heads/main NOT_ALLOWED\n")}0000`,
    );
  });

  it("leaves it to the hooks where the agent does not know the app's options", async () => {
    const agent = { ask: () => Promise.reject(new UserError("SERVER_DOWN", "it is down")) };
    const head = await headOf(`${line("refs/heads/main", usual)}0000`);
    const unknown = {
      ...pusher,
      policy: Promise.reject(new UserError("SERVER_DOWN", "it is down")),
    };

    expect(
      await firstLook({ ...world, agent } as unknown as HookWorld, unknown, head),
    ).toBeUndefined();
  });

  it("counts the refs", async () => {
    const many = Array.from({ length: 101 }, (_, at) => line(`refs/heads/x${at}`, at ? "" : usual));

    expect(await look(...many)).toContain("this push moves 101 branches, and 100 are the most");
  });

  it.each([
    [1000, undefined],
    [1001, "this push moves 1001 refs, and 1000 are the most"],
  ])("counts %i tags beside them", async (count, words) => {
    const refs = Array.from({ length: count - 1 }, (_, at) => line(`refs/tags/v${at}`));
    const said = await look(line("refs/heads/other", usual), ...refs);

    if (words === undefined) expect(said).toBeUndefined();
    else expect(said).toContain(words);
  });
});
