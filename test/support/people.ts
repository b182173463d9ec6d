import { pagesOf } from "../../src/cli/pages.ts";
import type { AuditRecord } from "../../src/names/account.ts";
import type { Right } from "../../src/names/names.ts";
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
  account: string,
  rights: Record<string, Right> = {},
  { mayCreate = false } = {},
): Promise<Person> {
  const ssh = new SshClient(server);
  await server.command("addAccount", { account, mayCreate });
  await server.command("addKey", { account, key: ssh.publicKey });
  for (const [app, right] of Object.entries(rights))
    await server.command("grant", { account, app, right });
  return { name: account, token: await makeToken(server, account), ssh };
}

export async function makeToken(
  server: TestServer,
  account: string,
  more: { days?: number } = {},
): Promise<string> {
  return (await server.command("createToken", { account, ...more })).token;
}

/** The audit log, the newest entry first. */
export function auditOf(server: TestServer): Promise<AuditRecord[]> {
  return pagesOf(
    5000,
    (limit, before) => server.command("audit", { limit, before }),
    ({ id }) => id,
  );
}

export function basic(person: { name: string; token: string }): string {
  return `Basic ${Buffer.from(`${person.name}:${person.token}`).toString("base64")}`;
}
