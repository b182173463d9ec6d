import type { Config } from "../config/config.ts";
import type { Host, Identity } from "../host/host.ts";
import { ensureIdentity, ownIdentity, sshLogin } from "../host/identity.ts";

/** Who runs what, apart from the apps. Without root all of them are the one user that reeve runs as. */
export interface Identities {
  front: Identity;
  web: Identity;
}

/** With root, makes those that are missing. */
export async function ensureIdentities({ server }: Config, host: Host): Promise<Identities> {
  if (!host.isRoot) {
    const own = ownIdentity();
    return { front: own, web: own };
  }
  return {
    front: await ensureIdentity(host, server.front_user, sshLogin),
    web: await ensureIdentity(host, server.web_user),
  };
}
