import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { DeployReport, stepLine } from "../../../../src/agent/deploy/report.ts";
import { AgentStore } from "../../../../src/agent/store/store.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";

describe("a step's line", () => {
  it("is laid out so that a push can be read at a glance", () => {
    const lines = [
      stepLine("checkout", "checked out, 4 files changed", 12),
      stepLine("environment", "unchanged", 0),
      stepLine("health", "healthy (GET / 200)", 160),
      stepLine("live", "http://demo.localhost:8080/", 310),
    ];

    expect(lines).toEqual([
      "  checkout     checked out, 4 files changed             12 ms",
      "  environment  unchanged                                 0 ms",
      "  health       healthy (GET / 200)                     160 ms",
      "  live         http://demo.localhost:8080/             310 ms",
    ]);
  });

  it.each([
    [0.4, "   0 ms"],
    [9999, "9999 ms"],
    [10_000, " 10.0 s"],
    [93_456, " 93.5 s"],
  ])("says %d milliseconds as %j", (took, said) => {
    expect(stepLine("release", "x", took).endsWith(said)).toBe(true);
  });

  it("grows with what does not fit, and keeps all of it", () => {
    const url = "http://a-rather-long-name-of-a-host.example.org:8080/";

    expect(stepLine("live", url, 310)).toBe(`  live         ${url}    310 ms`);
  });

  it("says nothing that a terminal would act on", () => {
    expect(stepLine("live", "\u001b[31mred\u001b[0m\r", 1)).toBe(
      "  live         red                                       1 ms",
    );
  });
});

function store(): AgentStore {
  const made = new AgentStore(join(temporaryFolder(), "agent.db"));
  onTestFinished(() => made.close());
  made.apps.create("demo");
  return made;
}

function startDeploy(agent: AgentStore): number {
  return agent.deploys.start({
    app: "demo",
    instance: "demo",
    reason: "push",
    account: "admin",
    ref: "refs/heads/main",
    oldCommit: "0".repeat(40),
    newCommit: "a".repeat(40),
    holder: { pid: 1, startTime: 1, turn: 0 },
  }).id;
}

describe("what a deploy says", () => {
  it("goes to whoever asked at once, and from when it is known to its log as well", () => {
    const said: string[] = [];
    const log = join(temporaryFolder(), "demo", "1.log");
    const agent = store();
    const report = new DeployReport(agent, (line) => said.push(line));

    report.line("before it has a number");
    report.keep(startDeploy(agent), log);
    report.line("one");
    report.stepTook("live", "there", 5);

    expect(said).toEqual(["before it has a number", "one", stepLine("live", "there", 5)]);
    expect(readFileSync(log, "utf8")).toBe(`one\n${stepLine("live", "there", 5)}\n`);
  });

  it("is written down step by step: before each begins, and when it has ended", async () => {
    const agent = store();
    const report = new DeployReport(agent, () => undefined);
    const deploy = startDeploy(agent);
    report.keep(deploy, join(temporaryFolder(), "1.log"));

    await report.step("checkout", () => {
      expect(agent.deploys.steps(deploy)).toEqual([
        { name: "checkout", detail: null, milliseconds: null },
      ]);
      return Promise.resolve("4 files");
    });

    expect(agent.deploys.steps(deploy)).toEqual([
      { name: "checkout", detail: "4 files", milliseconds: expect.any(Number) as number },
    ]);
  });

  it("is nothing for a step that had nothing to do, which is written down all the same", async () => {
    const said: string[] = [];
    const agent = store();
    const report = new DeployReport(agent, (line) => said.push(line));
    const deploy = startDeploy(agent);
    report.keep(deploy, join(temporaryFolder(), "1.log"));

    await report.step("variables", () => Promise.resolve(undefined));

    expect(said).toEqual([]);
    expect(agent.deploys.steps(deploy)).toMatchObject([{ name: "variables", detail: null }]);
  });

  it("names the step that failed, and hands its error on", async () => {
    const said: string[] = [];
    const agent = store();
    const report = new DeployReport(agent, (line) => said.push(line));
    const deploy = startDeploy(agent);
    report.keep(deploy, join(temporaryFolder(), "1.log"));
    const error = new Error("no");

    await expect(report.step("environment", () => Promise.reject(error))).rejects.toBe(error);

    expect(said).toEqual([expect.stringMatching(/^ {2}environment {2}failed .* ms$/)]);
    expect(agent.deploys.steps(deploy)).toMatchObject([{ name: "environment", detail: "failed" }]);
  });
});

describe("a deploy's log", () => {
  it("has the beginning and the end of what is printed without end, and all that reeve says, in 64 KiB", async () => {
    const log = join(temporaryFolder(), "demo", "1.log");
    const agent = store();
    const said: string[] = [];
    const report = new DeployReport(agent, (line) => said.push(line));
    report.keep(startDeploy(agent), log);

    await report.step("environment", () => {
      for (let number = 0; number < 100_000; number += 1) report.line(`    line ${number}`);
      return Promise.resolve("built");
    });
    const later = new DeployReport(agent, () => undefined);
    later.keepLog(log);
    later.stepTook("live", "there", 5);

    const kept = readFileSync(log, "utf8");
    expect(said).toHaveLength(100_001);
    expect(kept.length).toBeLessThan(64 * 1024);
    expect(kept).toMatch(/^ {4}line 0\n {4}line 1\n/);
    expect(kept).toMatch(/\n\(\d{5} lines are left out\)\n/);
    expect(kept).toContain("\n    line 99999\n  environment  built ");
    expect(kept.endsWith(`${stepLine("live", "there", 5)}\n`)).toBe(true);
  });
});
