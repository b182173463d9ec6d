import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Caller, FrontStore } from "../store/store.ts";

export interface Given {
  /** Free to choose: the token is what counts. */
  name: string;
  token: string;
}

/** Who somebody is, by the token or the key that they give. */
export class Credentials {
  readonly #store: FrontStore;
  readonly #administrator: string;

  constructor(store: FrontStore, administratorsToken: string) {
    this.#store = store;
    this.#administrator = digestOf(administratorsToken);
  }

  /**
   * By a token. It has 256 bits of chance, so its hash needs no salt and no slowness, and what a comparison
   * of two hashes tells by its time leads nobody to the token; they are compared in constant time all the same.
   */
  byToken({ token }: Given): Caller | undefined {
    const digest = digestOf(token);
    const found = this.#store.tokens.byDigest(digest);
    if (isSame(digest, this.#administrator))
      return { account: "admin", via: "http", proof: "administrator" };
    if (!found || !isSame(digest, found.digest)) return undefined;
    this.#store.tokens.used(found.id);
    return { account: found.account, via: "http", proof: { token: found.id } };
  }

  /** By the fingerprint of a key whose owner OpenSSH has made sure of. */
  byKey(fingerprint: string): Caller | undefined {
    const key = this.#store.keys.get(fingerprint);
    if (!key) return undefined;
    this.#store.keys.used(fingerprint);
    return { account: key.account, via: "ssh", proof: { key: fingerprint } };
  }
}

/** What an `Authorization` header says, or undefined where it is not of the one form that is taken. */
export function parseAuthorization(header: string | undefined): Given | undefined {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header ?? "")?.[1];
  if (encoded === undefined || encoded.length > 4096) return undefined;
  const decoded = Buffer.from(encoded, "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  if (colon < 0) return undefined;
  return { name: decoded.slice(0, colon), token: decoded.slice(colon + 1) };
}

/** A token that is shown once, and its digest, which is all that is kept. */
export function makeToken(): { token: string; digest: string } {
  const token = `reeve_${randomBytes(32).toString("base64url")}`;
  return { token, digest: digestOf(token) };
}

function digestOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

function isSame(one: string, other: string): boolean {
  return timingSafeEqual(Buffer.from(one), Buffer.from(other));
}
