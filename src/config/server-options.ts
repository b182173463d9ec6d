import { z } from "zod";
import { isHostName } from "../names/names.ts";
import type { Limits } from "../system/limits.ts";
import { listenWords } from "./listening.ts";
import { publicUrl, trustedProxies } from "./visited.ts";
import { wholeNumber, type OptionTable, type OptionValues } from "./option-table.ts";

const userName = z.string().regex(/^[a-z_][a-z0-9_-]{0,30}$/, "is not a system user's name");
/** The longest host of a preview, `<63 characters>.<domain>`, is one that DNS takes. */
const longestDomain = 253 - 64;
/** What an installer's variable can hold: URL itself passes over blanks and line breaks. */
function address(grammar: RegExp, words: string): z.ZodType<string> {
  return z
    .string()
    .max(2000, words)
    .refine((text) => text === "" || (grammar.test(text) && isParsed(text)), words);
}

/** A host and a port alone are no address for URL, and one for an installer. */
function isParsed(text: string): boolean {
  return !text.includes("://") || URL.canParse(text);
}

const indexAddress = address(
  /^(?:https?|file):\/\/[!-~]+$/,
  "is not an address of a package index",
);
const proxyAddress = address(
  /^(?:(?:https?|socks5h?):\/\/[!-~]+|[A-Za-z0-9.-]+:\d{1,5})$/,
  "is not an address of a proxy",
);
const absolutePath = z
  .string()
  .max(4000, "is not an absolute path")
  .regex(/^\/[^\s\p{Cc}]*[^\s\p{Cc}/]$/u, "is not an absolute path");

/** `git.example.org`, or with a port. */
function isGitHost(text: string): boolean {
  const [, host = "", port = "443"] = /^([^:]*)(?::(\d{1,5}))?$/.exec(text) ?? [];
  return isHostName(host) && Number(port) >= 1 && Number(port) <= 65_535;
}

export const serverOptions = {
  domain: {
    schema: z
      .string()
      .max(longestDomain, "is longer than the name of a preview's host leaves room for")
      .refine(isHostName, "is not a host name"),
    default: "localhost",
    sentence: "Apps answer at <app>.<domain>, git at git.<domain> and at <domain>/git/.",
  },
  listen: {
    schema: listenWords,
    default: "loopback",
    sentence:
      "The addresses at which nginx and sshd listen: loopback (127.0.0.1 and ::1), all, or those of a list, with blanks between them.",
  },
  port: {
    schema: wholeNumber(1, 65535),
    default: 8080,
    sentence: "The port at which nginx listens.",
  },
  public_url: {
    schema: publicUrl,
    default: "",
    sentence:
      "The address at which visitors come to the domain, where that is not nginx itself: https://example.org, or with a port. Apps answer below its host by its scheme and port.",
  },
  trusted_proxies: {
    schema: trustedProxies,
    default: "",
    sentence:
      "The addresses and networks of balancers, or of whoever does TLS in front: by their word an app knows the visitor's address and scheme, and by nobody else's.",
  },
  plain_http: {
    schema: z.boolean(),
    default: false,
    sentence:
      "git is answered over plain HTTP also from elsewhere than this machine: whoever is on the way can read the tokens.",
  },
  ssh_port: {
    schema: wholeNumber(0, 65535),
    default: 8022,
    sentence:
      "The port at which sshd listens; 0: none. The default counts only where OpenSSH's server is installed and the port is free.",
  },
  connections: {
    schema: wholeNumber(256, 500_000),
    default: 40_000,
    sentence:
      "How many connections nginx holds at a time, visitors' and those to apps; fewer where the machine's limit of open files does not allow as many.",
  },
  create_on_push: {
    schema: z.boolean(),
    default: true,
    sentence: "A push to an app that does not exist creates it.",
  },
  apps_each: {
    schema: wholeNumber(0, 100_000),
    default: 50,
    sentence:
      "How many apps an account may create, those of the last day that are gone included; the administrator as many as it likes.",
  },
  kept_releases: {
    schema: wholeNumber(1, 100),
    default: 5,
    sentence: "How many releases that were on the air are kept beside the one that is.",
  },
  audit_days: {
    schema: wholeNumber(1, 36_500),
    default: 730,
    sentence: "Days that changes are kept in the audit log, and who had which right.",
  },
  preview_limit: {
    schema: wholeNumber(0, 100_000),
    default: 500,
    sentence: "How many previews all apps together may have.",
  },
  preview_days: {
    schema: wholeNumber(1, 3650),
    default: 90,
    sentence: "The most days that an app may keep a preview without a push or a visit.",
  },
  push_limit: {
    schema: wholeNumber(1, 100_000),
    default: 1024,
    sentence: "The largest push, in MiB.",
  },
  release_files: {
    schema: wholeNumber(1, 10_000_000),
    default: 250_000,
    sentence: "How many files and folders a commit may have that is put on the air.",
  },
  release_size: {
    schema: wholeNumber(1, 1_048_576),
    default: 4096,
    sentence: "MiB that the files of such a commit may have together.",
  },
  git_memory: {
    schema: wholeNumber(64, 1_048_576),
    default: 1536,
    sentence:
      "MiB of memory that each git may take, and that a push or a fetch may take altogether where the system has control groups for memory.",
  },
  git_seconds: {
    schema: wholeNumber(1, 86_400),
    default: 900,
    sentence: "Seconds of processor time that each git may take.",
  },
  git_sessions: {
    schema: wholeNumber(1, 10_000),
    default: 32,
    sentence:
      "How many pushes and fetches git works on at a time, and how many commands over SSH; others wait, for a minute at most.",
  },
  git_sessions_each: {
    schema: wholeNumber(1, 10_000),
    default: 8,
    sentence: "How many of them may be one account's.",
  },
  builds: {
    schema: wholeNumber(1, 64),
    default: 2,
    sentence:
      "With root: how many environments are built at once, each by a system user of its own; further ones wait.",
  },
  build_deadline: {
    schema: wholeNumber(1, 86_400),
    default: 900,
    sentence: "Seconds after which an installer that has not ended is stopped.",
  },
  build_memory: {
    schema: wholeNumber(64, 1_048_576),
    default: 4096,
    sentence:
      "With root: MiB of memory that all processes of a build may hold together, where the system has control groups for it.",
  },
  build_address_space: {
    schema: wholeNumber(64, 16_777_216),
    default: 65_536,
    sentence:
      "MiB of address space that each process of an installer may take: it counts what is only reserved as well.",
  },
  build_processes: {
    schema: wholeNumber(16, 100_000),
    default: 512,
    sentence: "With root: how many processes and threads a build may have.",
  },
  build_file_size: {
    schema: wholeNumber(1, 1_048_576),
    default: 4096,
    sentence: "The largest file that an installer may write, in MiB.",
  },
  build_cache: {
    schema: wholeNumber(0, 1_048_576),
    default: 2048,
    sentence:
      "How much an installer may keep of what it fetched, in MiB, for each app, and as much for its previews; a cache that holds more is emptied after the build.",
  },
  build_open_files: {
    schema: wholeNumber(64, 1_048_576),
    default: 4096,
    sentence: "How many files each process of an installer may have open.",
  },
  restart_pause: {
    schema: wholeNumber(1, 60_000),
    default: 1000,
    sentence:
      "Milliseconds for which an app that died when it started is held back; twice as long each time, at most 60 times as long.",
  },
  drain: {
    schema: wholeNumber(0, 60_000),
    default: 1000,
    sentence:
      "Milliseconds in which the requests that wait in a vassal's queue are taken by a worker (measured: 1 s).",
    forTests: true,
  },
  package_index: {
    schema: indexAddress,
    default: "",
    sentence: "The package index, instead of PyPI, as pip's --index-url. May hold credentials.",
    secret: true,
  },
  package_extra_index: {
    schema: indexAddress,
    default: "",
    sentence: "A second package index, as pip's --extra-index-url. May hold credentials.",
    secret: true,
  },
  package_proxy: {
    schema: proxyAddress,
    default: "",
    sentence:
      "The HTTP proxy through which packages and submodules are fetched. May hold credentials.",
    secret: true,
  },
  package_ca_file: {
    schema: z.union([z.literal(""), absolutePath]),
    default: "",
    sentence:
      "A file of certificates (PEM) that the package index is checked against; where nothing is said, the machine's own (update-ca-certificates), and with an empty text the installers' own.",
  },
  submodule_hosts: {
    schema: z
      .string()
      .max(2000)
      .refine((text) => text.split(" ").filter(Boolean).every(isGitHost), "is no list of hosts"),
    default: "github.com gitlab.com bitbucket.org codeberg.org",
    sentence:
      "The hosts from which submodules are fetched, for apps with the option submodules; HOST:PORT where it is not 443; empty: none.",
  },
  submodule_ca_file: {
    schema: z.union([z.literal(""), absolutePath]),
    default: "",
    sentence:
      "A file of certificates (PEM) that those hosts are checked against; empty: the machine's own (update-ca-certificates).",
  },
  python: {
    schema: absolutePath,
    default: "/usr/bin/python3",
    sentence:
      "The interpreter that uWSGI's python3 plugin was built for: another one's packages do not load.",
  },
  front_user: {
    schema: userName,
    default: "reeve",
    sentence: "With root: the system user that the front and git run as.",
  },
  first_user_id: {
    schema: wholeNumber(1000, 59_000),
    default: 30_000,
    sentence:
      "With root: the number of the first app's system user; each further one gets the next that is free.",
  },
  web_user: {
    schema: userName,
    default: "www-data",
    sentence: "With root: the system user that nginx's workers run as.",
  },
} satisfies OptionTable;

export type ServerOptions = OptionValues<typeof serverOptions>;

export const mebibyte = 1024 * 1024;

/** What every git of reeve's may take, whoever it works for. */
export function gitLimits({ git_memory, git_seconds }: ServerOptions): Limits {
  return { memory: git_memory * mebibyte, seconds: git_seconds };
}
