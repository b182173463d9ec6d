import type { Config } from "../../config/config.ts";
import type { System, Identity } from "../../system/system.ts";
import { ensureIdentity, ownIdentity, sshLogin } from "../../system/identity.ts";

/** Who runs what, apart from the apps. Without root all of them are the one user that reeve runs as. */
export interface Identities {
  front: Identity;
  web: Identity;
}

/** With root, makes those that are missing. */
export async function ensureIdentities({ server }: Config, system: System): Promise<Identities> {
  if (!system.isRoot) {
    const own = ownIdentity();
    return { front: own, web: own };
  }
  return {
    front: await ensureIdentity(system, server.front_user, sshLogin),
    web: await ensureIdentity(system, server.web_user),
  };
}
