import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Layout } from "../../config/layout.ts";
import { readIfPresent, writeAtomically } from "../../system/files.ts";

/** The administrator's token, made at the first start. git gives it as the password. */
export async function readToken(layout: Layout): Promise<string> {
  const path = tokenFile(layout);
  const kept = (await readIfPresent(path))?.trim();
  if (kept) return kept;
  const token = randomBytes(24).toString("base64url");
  await writeAtomically(path, `${token}\n`, { mode: 0o600 });
  return token;
}

export function tokenFile({ frontState }: Layout): string {
  return join(frontState, "token");
}
