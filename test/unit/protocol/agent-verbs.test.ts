import { describe, expect, it } from "vitest";
import { agentVerbs, type AgentVerb } from "../../../src/protocol/agent-verbs.ts";

const commit = "3f2a91c0123456789abcdef0123456789abcdef0";
const start = {
  app: "demo",
  ref: "refs/heads/main",
  oldCommit: "0".repeat(40),
  newCommit: commit,
  account: "admin",
  reason: "push",
  holder: { pid: 7, startTime: 100, turn: 0 },
};
const prepare = {
  deploy: 12,
  subject: "Say hello",
  proposal: {
    processes: [{ type: "web", kind: "wsgi", module: "app:app" }],
    root: "backend",
    requirements: [{ path: "requirements/base.txt", text: "bottle\n" }],
  },
};

describe("what the agent takes from the front", () => {
  it("is a deploy with all its fields", () => {
    expect(agentVerbs.start.input.safeParse(start).success).toBe(true);
    expect(agentVerbs.prepare.input.safeParse(prepare).success).toBe(true);
  });

  it("is a deploy of what could not be read, which is then refused with a record", () => {
    const problem = { code: "MODULE_NOT_FOUND", message: "no app was found", hint: "Name it." };

    expect(agentVerbs.prepare.input.safeParse({ ...prepare, proposal: { problem } }).success).toBe(
      true,
    );
  });

  const proposal = (change: object): object => ({ proposal: { ...prepare.proposal, ...change } });
  const web = { type: "web", kind: "wsgi", module: "app:app" };
  const process = (change: object): object => proposal({ processes: [{ ...web, ...change }] });
  const requirements = (path: unknown): object => proposal({ requirements: [{ path, text: "" }] });

  it.each<[string, object]>([
    ["an app's name that is a path", { app: "../x" }],
    ["an app's name that is reeve's own", { app: "git" }],
    ["a tag", { ref: "refs/tags/v1" }],
    ["a hidden ref", { ref: "refs/reeve/releases/demo/x" }],
    ["a ref that is an option", { ref: "--force" }],
    ["a ref with a line break", { ref: "refs/heads/a\nb" }],
    ["a ref that leads elsewhere", { ref: "refs/heads/../../config" }],
    ["a ref that is a pattern", { ref: "refs/heads/*" }],
    ["a ref that is an expression", { ref: "refs/heads/main~1" }],
    ["a branch's name for a commit", { newCommit: "main" }],
    ["an option for a commit", { newCommit: "--output=/tmp/PWNED" }],
    ["a short commit", { oldCommit: "3f2a91c" }],
    ["a reason that is none", { reason: "because" }],
    ["a subject without end", { subject: "x".repeat(501) }],
    ["a holder that is no process", { holder: { pid: 0, startTime: 1, turn: 0 } }],
    ["a holder that is everybody", { holder: { pid: -1, startTime: 1, turn: 0 } }],
    ["a module that is more", process({ module: "app:app\nexec-pre-app = id" })],
    ["a module that is a path", process({ module: "/etc/passwd" })],
    ["a type of process that there is none of", process({ type: "worker" })],
    ["a kind of server that there is none of", process({ kind: "../../etc/passwd" })],
    ["a kind of server that every object has", process({ kind: "constructor" })],
    ["two of a type", proposal({ processes: [web, web] })],
    ["no process at all", proposal({ processes: [] })],
    ["a requirements file outside", requirements("../x")],
    ["a requirements file outside, further in", requirements("a/../../x")],
    ["a requirements file of the system's", requirements("/etc/passwd")],
    ["a requirements file with a zero byte", requirements("a\0b")],
    ["a requirements file of no name", requirements("")],
    [
      "too many requirements files",
      proposal({
        requirements: Array.from({ length: 51 }, () => prepare.proposal.requirements[0]),
      }),
    ],
    [
      "a problem of an unknown kind",
      { proposal: { problem: { code: "NOSUCH", message: "", hint: "" } } },
    ],
    [
      "a problem that every object has",
      { proposal: { problem: { code: "constructor", message: "", hint: "" } } },
    ],
    ["nothing to run", { proposal: undefined }],
  ])("is not %s", (_, change) => {
    const request = Object.keys(change).some((field) => field in start)
      ? agentVerbs.start.input.safeParse({ ...start, ...change })
      : agentVerbs.prepare.input.safeParse({ ...prepare, ...change });
    expect(request.success).toBe(false);
  });

  it.each(Object.keys(agentVerbs))("for %s is never nothing at all, nor words", (name) => {
    const request = agentVerbs[name as AgentVerb].input;

    for (const input of [undefined, null, "words", 7, []])
      expect(request.safeParse(input).success).toBe(false);
  });
});
