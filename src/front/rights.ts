import { createHash, timingSafeEqual } from "node:crypto";

export interface Account {
  name: string;
}

export type Action = "read" | "push" | "create" | "administer";

/** Who somebody is, and what they may do: judged here for every transport, command and page. */
export class Rights {
  readonly #tokenDigest: Buffer;

  constructor(administratorToken: string) {
    this.#tokenDigest = digest(administratorToken);
  }

  /** The account that an `Authorization` header proves, or undefined. The user's name is free: the token is what counts. */
  identify(authorization: string | undefined): Account | undefined {
    const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization ?? "")?.[1];
    if (encoded === undefined || encoded.length > 4096) return undefined;
    const decoded = Buffer.from(encoded, "base64").toString("utf8");
    const token = decoded.slice(decoded.indexOf(":") + 1);
    if (!decoded.includes(":") || !timingSafeEqual(digest(token), this.#tokenDigest))
      return undefined;
    return administrator;
  }

  /** There is one account so far, the administrator's, and it may do everything. */
  may(account: Account, action: Action, app: string): boolean {
    return account === administrator && action.length > 0 && app.length > 0;
  }
}

/** Also whoever can open the control socket: the administrator, on the server itself. */
export const administrator: Account = { name: "admin" };

function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
