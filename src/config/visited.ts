import { isIP } from "node:net";
import { z } from "zod";
import { isHostName } from "../names/names.ts";
import { wordsOf } from "./listening.ts";

/** How visitors come to an instance that has no port of its own. */
export interface Visited {
  scheme: "http" | "https";
  port: number;
}

const standardPorts = { http: 80, https: 443 };

/** What a browser says as its `Host` there: the standard port of the scheme is not said. */
export function hostAt(host: string, { scheme, port }: Visited): string {
  return port === standardPorts[scheme] ? host : `${host}:${port}`;
}

/** `https://example.org`, or with a port: neither path nor credentials. */
export const publicUrl = z
  .string()
  .max(300)
  .refine(
    (text) => text === "" || parsed(text) !== undefined,
    "is no address such as https://example.org or http://example.org:8080",
  );

/** Of everybody nobody is told apart. */
export const trustedProxies = z
  .string()
  .max(4000)
  .refine(
    (text) => text === "" || isNetworkList(text),
    'is no list of addresses and networks such as "192.0.2.7 10.0.0.0/8 2001:db8::/64"',
  );

interface Options {
  domain: string;
  port: number;
  public_url: string;
  trusted_proxies: string;
}

/** By what stands in `public_url`; else visitors come to nginx itself. */
export function visitedAt({ public_url, port }: Pick<Options, "public_url" | "port">): Visited {
  if (public_url === "") return { scheme: "http", port };
  const [, said, , given] = parsed(public_url) ?? [];
  const scheme = said === "https" ? "https" : "http";
  return { scheme, port: given === undefined ? standardPorts[scheme] : Number(given) };
}

/** What is wrong with the three together, each being right by itself; with the next step. */
export function contradiction({
  domain,
  public_url,
  trusted_proxies,
}: Options): string | undefined {
  const [, scheme, host] = parsed(public_url) ?? [];
  const trustsSomebody = trusted_proxies !== "";
  if (host === undefined)
    return trustsSomebody
      ? "trusted_proxies names who stands in front, and public_url is empty: say at which address visitors come there, such as https://example.org"
      : undefined;
  if (host !== domain)
    return `public_url has the host ${host}, and domain is ${domain}: give both the name below which visitors find the apps`;
  if (scheme === "https" && !trustsSomebody)
    return "public_url begins with https, and trusted_proxies is empty: say who does TLS in front, such as 127.0.0.1";
  return undefined;
}

function parsed(url: string): string[] | undefined {
  const parts = /^(https?):\/\/([^/:]+)(?::([1-9]\d{0,4}))?\/?$/.exec(url);
  const [, , host = "", port = "80"] = parts ?? [];
  return parts && isHostName(host) && Number(port) <= 65_535 ? [...parts] : undefined;
}

function isNetworkList(text: string): boolean {
  const words = wordsOf(text);
  return words.length > 0 && words.every(isNetwork);
}

function isNetwork(word: string): boolean {
  const [, address = "", length] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(word) ?? [];
  const kind = address.includes("%") ? 0 : isIP(address);
  const longest = kind === 4 ? 32 : 128;
  return kind !== 0 && Number(length ?? longest) >= 1 && Number(length ?? longest) <= longest;
}
