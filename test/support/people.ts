import type { TestServer } from "./server.ts";
import { SshClient } from "./ssh.ts";

/** Somebody with an account, a token and a key. */
export interface Person {
  name: string;
  token: string;
  ssh: SshClient;
}

/** Makes an account as the administrator does, with these rights: `demo: deploy`. */
export async function makePerson(
  server: TestServer,
  name: string,
  rights: Record<string, string> = {},
  more: string[] = [],
): Promise<Person> {
  const ssh = new SshClient(server);
  await expectDone(server, "accounts", "add", name, ...more);
  await expectDone(server, "keys", "add", name, ssh.publicKey);
  for (const [app, right] of Object.entries(rights))
    await expectDone(server, "grant", name, app, right);
  return { name, token: await makeToken(server, name), ssh };
}

export async function makeToken(
  server: TestServer,
  name: string,
  ...more: string[]
): Promise<string> {
  const output = await expectDone(server, "tokens", "create", name, ...more);
  return output.split("\n").find((line) => line.startsWith("reeve_")) ?? "";
}

async function expectDone(server: TestServer, ...words: string[]): Promise<string> {
  const { exitCode, output } = await server.reeve(...words);
  if (exitCode !== 0) throw new Error(`reeve ${words.join(" ")}:\n${output}`);
  return output;
}

export function basic(person: { name: string; token: string }): string {
  return `Basic ${Buffer.from(`${person.name}:${person.token}`).toString("base64")}`;
}
