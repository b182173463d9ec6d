import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { expect } from "vitest";
import type { TestServer } from "../support/server.ts";
import type { Workspace } from "../support/workspace.ts";
import type { Means, Shape } from "./shapes.ts";

/** Pushes the shape, does what each refusal says, pushes again, and looks at what is on the air then. */
export async function bringOnAir(
  server: TestServer,
  app: string,
  { files, prepare, refused = [], says }: Shape,
  given: Pick<Means, "wheels"> & { env: Record<string, string> },
): Promise<void> {
  const workspace = await server.workspace(app, {});
  const means = { ...given, shell: shellIn(server, workspace, given.env) };
  workspace.write(files);
  await prepare?.(workspace, means);
  await workspace.commit("As it is");

  for (const words of refused) {
    const push = await workspace.push();
    expect(push.exitCode, push.output).toBe(1);
    expect(push.output).toMatch(words);
    await follow(hintOf(push.output), { server, workspace, shell: means.shell });
    await workspace.commit("As the hint says");
  }
  const push = await workspace.push();

  expect(push.exitCode, push.output).toBe(0);
  expect((await server.get(app)).body).toBe(says);
}

export function hintOf(output: string): string {
  return /^(?:remote: )?hint: (.*)$/m.exec(output)?.[1]?.trimEnd() ?? "";
}

/** What somebody does who reads the hint; what it says may be several things. */
export async function follow(
  hint: string,
  { server, workspace, shell }: { server: TestServer; workspace: Workspace } & Partial<Means>,
): Promise<void> {
  const append = (name: string, line: string): void =>
    appendFileSync(join(workspace.folder, name), `\n${line}\n`);
  const [, options] = /push again: reeve (options .*)$/.exec(hint) ?? [];
  if (options !== undefined) {
    const { exitCode, output } = await server.reeve(...options.split(" "));
    expect(exitCode, output).toBe(0);
  }
  const [, packaged] = /^Add (\S+) to requirements\.txt/.exec(hint) ?? [];
  if (packaged !== undefined) append("requirements.txt", packaged);
  const [, file = "", text] = /Write a file (\S+): (.*)\. Add this/.exec(hint) ?? [];
  if (text !== undefined) workspace.write({ [file]: text });
  const [, line] = /Add this line to the Procfile: (.*)$/.exec(hint) ?? [];
  if (line !== undefined) append("Procfile", line);
  if (hint.startsWith("Have git lfs untrack it")) await untrack(workspace);
  const [, command] = /push again: ((?!reeve ).*)$/.exec(hint) ?? [];
  if (command !== undefined) await shell?.(command);
}

/** What `git lfs untrack` does: with its rule there, a later `git add` may make a pointer of the file again. */
async function untrack(workspace: Workspace): Promise<void> {
  const { output } = await workspace.git("ls-files", "*.gitattributes");
  for (const path of output.split("\n").filter(Boolean)) {
    const rules = workspace.read(path).split("\n");
    workspace.write({ [path]: rules.filter((rule) => !rule.includes("filter=lfs")).join("\n") });
  }
}

function shellIn(
  server: TestServer,
  { folder }: Workspace,
  env: Record<string, string>,
): Means["shell"] {
  const path = [server.path("tools/uv/bin"), env["TOOLS"], process.env["PATH"]];
  const variables = { UV_PYTHON_DOWNLOADS: "never", ...env, PATH: path.filter(Boolean).join(":") };
  return async (line) => {
    await execa("bash", ["-ec", line], { cwd: folder, env: variables });
  };
}
