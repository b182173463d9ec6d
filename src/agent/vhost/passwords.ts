import { createHash, randomBytes } from "node:crypto";
import { chown } from "node:fs/promises";
import { writeAtomically } from "../../system/files.ts";
import type { System, Identity } from "../../system/system.ts";

/** Writes a file for nginx's `auth_basic_user_file`, which nobody but root and nginx's workers can read. */
export async function writePasswords(
  system: System,
  path: string,
  passwords: Record<string, string>,
  web: Identity,
): Promise<void> {
  const lines = Object.entries(passwords).map(
    ([name, password]) => `${name}:${hashed(password)}\n`,
  );
  await writeAtomically(path, lines.join(""), { mode: 0o640 });
  if (system.isRoot) await chown(path, 0, web.gid);
}

/** Salted SHA-1: of the forms that every nginx reads on every libc, the best (ngx_http_auth_basic_module). */
function hashed(password: string): string {
  const salt = randomBytes(12);
  const digest = createHash("sha1").update(password).update(salt).digest();
  return `{SSHA}${Buffer.concat([digest, salt]).toString("base64")}`;
}
