import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freeShortPort } from "../support/ports.ts";
import { program, TestServer } from "../support/server.ts";
import {
  masked,
  readTranscript,
  transcriptFolder,
  transcriptNames,
  typedIn,
} from "../support/transcripts.ts";

const marker = "--- end of a command ---";

/** To write them anew, give `-u` to vitest, and look at what changed. */
describe("what a pusher types and reads", () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await TestServer.start([], { port: await freeShortPort() });
    makeHome(server);
  });
  afterAll(() => server.remove());

  it.each(transcriptNames())("is to the letter what stands in %s", async (name) => {
    const typed = typedIn(readTranscript(name));

    const printed = await printedBy(server, typed);

    const transcript = typed.map((command, index) => command + masked(printed[index] ?? ""));
    await expect(transcript.join("")).toMatchFileSnapshot(join(transcriptFolder, name));
  });
});

/** For the person who types: git knows the name and the token, and `reeve` is a command. */
function makeHome({ workspaces, home, port }: TestServer): void {
  writeFileSync(
    join(workspaces, ".gitconfig"),
    `[user]
  name = Ada
  email = ada@example.org
[credential "http://admin@localhost:${port}"]
  helper = "!f() { sed s/^/password=/ ${home}/lib/front/token; }; f"
`,
  );
  mkdirSync(join(workspaces, "bin"));
  const reeve = `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`;
  writeFileSync(join(workspaces, "bin/reeve"), reeve, { mode: 0o755 });
}

/** What each command prints, typed one after the other into one shell, as it reads at reeve's own port and folder. */
async function printedBy(server: TestServer, typed: string[]): Promise<string[]> {
  const { home, port, workspaces } = server;
  const script = typed.map((command) => `${asCommand(command)}printf '%s\\n' '${marker}'\n`);
  const text = script.join("").replaceAll("localhost:8080", `localhost:${port}`);
  const { all, exitCode } = await execa("sh", ["-e", "-c", text], {
    cwd: workspaces,
    env: {
      PATH: `${workspaces}/bin:${process.env["PATH"]}`,
      HOME: workspaces,
      REEVE_HOME: home,
      REEVE_PORT: String(port),
      // One commit has one id, and none is all letters.
      GIT_AUTHOR_DATE: "2026-11-30T12:00:00Z",
      GIT_COMMITTER_DATE: "2026-11-30T12:00:00Z",
    },
    extendEnv: false,
    input: "",
    all: true,
    reject: false,
    stripFinalNewline: false,
  });
  expect(exitCode, all).toBe(0);
  return all
    .replaceAll(`localhost:${port}`, "localhost:8080")
    .replaceAll(home, "/opt/reeve/var")
    .split(`${marker}\n`);
}

/** Without the prompts. */
function asCommand(typed: string): string {
  return typed.replaceAll(/^[$>] ?/gm, "");
}
