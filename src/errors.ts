import { printable } from "./system/lines.ts";

/**
 * The catalogue of everything that can go wrong and that somebody can mend.
 *
 * A code is never renamed and never reused: people search for it. `docs/errors.md` has a section
 * for each, and a test holds the two equal. `hint` is the next step, in the words of the reader.
 */
const catalogue = {
  ACCOUNT_EXISTS: { exit: 1, hint: "Choose another name. See `reeve accounts`." },
  ACCOUNT_NAME_INVALID: {
    exit: 2,
    hint: "Use lower case letters and digits, with single dots, hyphens or underscores between them, at most 30 characters: ada.",
  },
  ACCOUNT_UNKNOWN: { exit: 1, hint: "See `reeve accounts`." },
  APP_EXISTS: { exit: 1, hint: "Choose another name, or push to the app that is there." },
  APP_LIMIT: {
    exit: 1,
    hint: "Remove an app that is not needed (reeve destroy APP), or ask the administrator for more: the server option apps_each.",
  },
  APP_NAME_INVALID: {
    exit: 1,
    hint: "Use lower case letters, digits and single hyphens, starting with a letter, at most 30 characters: my-shop.",
  },
  APP_UNHEALTHY: {
    exit: 1,
    hint: "The lines above are the app's own. Mend it and push again.",
  },
  APP_UNKNOWN: { exit: 1, hint: "See `reeve apps`, or make it with `reeve create APP`." },
  BRANCH_REFUSED: {
    exit: 1,
    hint: "Give the branch another name, or see which branches are on the air: reeve options APP",
  },
  BUILD_TREE_INVALID: {
    exit: 1,
    hint: "Mend the file that is named above, commit, and push again.",
  },
  CONFIG_INVALID: { exit: 2, hint: "Every option is described in docs/configuration.md." },
  CONFIRMATION_NEEDED: { exit: 2, hint: "Type the app's name, or add --yes." },
  DEPLOY_CANCELLED: { exit: 1, hint: "Push again, or run `reeve redeploy APP`." },
  DEPLOY_UNKNOWN: { exit: 1, hint: "See `reeve deploys APP`." },
  EMPEROR_DOWN: {
    exit: 1,
    hint: "Look at the Emperor's log, start it again, and push once more.",
  },
  ENVIRONMENT_FAILED: {
    exit: 1,
    hint: "The lines above are the installer's own. Mend requirements.txt and push again.",
  },
  FOLDER_CLOSED: { exit: 2, hint: "Put reeve's folder elsewhere: npm start -- --home /srv/reeve" },
  INPUT_INVALID: { exit: 2, hint: "Type the command again; its --help says what it takes." },
  INTERNAL: {
    exit: 70,
    hint: "This is a mistake in reeve. Its log holds the details; please report it with them.",
  },
  KEY_INVALID: {
    exit: 2,
    hint: "Give the line of a .pub file of ssh-keygen: Ed25519, ECDSA, or RSA of 2048 to 8192 bits.",
  },
  KEY_TAKEN: { exit: 1, hint: "A key belongs to one account. See `reeve keys`." },
  KEY_UNKNOWN: { exit: 1, hint: "See `reeve keys`." },
  MODULE_NOT_FOUND: {
    exit: 1,
    hint: "Name it in a file called Procfile: wsgi: module:callable",
  },
  NGINX_DOWN: { exit: 1, hint: "Start nginx, then push again or run `reeve redeploy APP`." },
  NOT_ALLOWED: { exit: 1, hint: "Ask the administrator for the right to do this." },
  NO_SPACE: { exit: 1, hint: "Make room on the server's disk, then push again." },
  OBJECT_REFUSED: {
    exit: 1,
    hint: 'Mend it and push again. If only the history holds it, push without: git push deploy "+$(git commit-tree HEAD: -m Deploy):refs/heads/main"',
  },
  OPTION_INVALID: { exit: 2, hint: "See `reeve options APP` for every option and its meaning." },
  PACKAGES_MISSING: { exit: 2, hint: "Run the command above, then `npm start` again." },
  PATH_TOO_LONG: {
    exit: 2,
    hint: "A unix socket's path ends at 107 bytes. Choose a shorter folder: npm start -- --home /srv/reeve",
  },
  PLACE_TAKEN: {
    exit: 1,
    hint: "Give the app another host, or its previews: reeve options APP set host=… preview_host=…",
  },
  PLAIN_HTTP: {
    exit: 1,
    hint: "Push over HTTPS or SSH. In a network that nobody else reads: plain_http = true in etc/server.toml.",
  },
  PORT_TAKEN: { exit: 2, hint: "Choose another one: npm start -- --port 8081" },
  PREVIEW_LIMIT: {
    exit: 1,
    hint: "Remove a preview and push again: git push deploy :BRANCH",
  },
  PREVIEW_UNKNOWN: { exit: 1, hint: "See `reeve previews APP`." },
  PRODUCTION_DELETE: {
    exit: 1,
    hint: "An app is removed with everything it left behind by: reeve destroy APP",
  },
  PUSHES_CROSSED: {
    exit: 1,
    hint: "Push again when the other push has ended, or push the branches one after the other.",
  },
  PUSH_GONE: { exit: 1, hint: "Push again." },
  REF_MOVED: { exit: 1, hint: "Fetch, look at what the other one pushed, and push again." },
  REF_REFUSED: {
    exit: 1,
    hint: "Push a branch (refs/heads/…) or a tag (refs/tags/…), nothing else.",
  },
  RELEASE_FAILED: {
    exit: 1,
    hint: "Nothing was changed. Push again when the reason above is gone.",
  },
  RELEASE_TOO_LARGE: {
    exit: 1,
    hint: "Leave out of the repository what the app does not need to run, or ask the server's administrator for more.",
  },
  RELEASE_UNKNOWN: { exit: 1, hint: "See `reeve releases APP`." },
  RESOURCES_EXHAUSTED: {
    exit: 1,
    hint: "Push again in a moment; if that does not help, ask the server's administrator.",
  },
  SERVER_DOWN: { exit: 3, hint: "Start it with `npm start`, and name its folder by REEVE_HOME." },
  SERVER_RUNNING: {
    exit: 2,
    hint: "Stop the one that runs, or give this one a folder and a port of its own: npm start -- --home DIR --port N",
  },
  SHALLOW_PUSH: {
    exit: 1,
    hint: "Fetch the history first, and push again: git fetch --unshallow (in CI: GIT_DEPTH: 0, or fetch-depth: 0).",
  },
  SSH_REFUSED: {
    exit: 1,
    hint: "Use git with this address, or one of reeve's commands: ssh … help",
  },
  SUBMODULE_FAILED: {
    exit: 1,
    hint: "The lines above are git's own. Mend what they say, or wait until the other server answers, then push again.",
  },
  SUBMODULE_REFUSED: {
    exit: 1,
    hint: "Put the files into this repository, or name the other one in .gitmodules by an address of https://, commit, and push again.",
  },
  SYSTEM_REFUSED: {
    exit: 1,
    hint: "The words above are the operating system's. The server's administrator can mend it; then push again.",
  },
  TIME_UNKNOWN: { exit: 1, hint: "Give a later time; the server's log goes back further." },
  TOKEN_UNKNOWN: { exit: 1, hint: "See `reeve tokens`." },
  TOO_MANY_ATTEMPTS: { exit: 1, hint: "Wait a minute, then give the right token." },
  VARIABLE_INVALID: {
    exit: 2,
    hint: "A variable is NAME=value: letters, digits and underscores, not starting with a digit.",
  },
  VHOST_REJECTED: { exit: 1, hint: "Mend the file that nginx names, then push again." },
} as const satisfies Record<string, { exit: number; hint: string }>;

export type ErrorCode = keyof typeof catalogue;

export const errorCodes = Object.keys(catalogue) as ErrorCode[];

/** Somebody can mend it: said in two lines, never with a stack. */
export class UserError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  /** Whoever asked has been told already, line by line: it is not to be said again. */
  said = false;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = "UserError";
    this.code = code;
    this.hint = options.hint ?? catalogue[code].hint;
  }

  get exitCode(): number {
    return catalogue[this.code].exit;
  }
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(catalogue, text);
}

/** What the operating system says of a file or a process that somebody looks for in the code (errno(3)). */
type SystemCode = "EBUSY" | "EEXIST" | "ENOENT" | "ENOTEMPTY" | "EROFS" | "ESRCH";

/** Whether it is an error of one of these codes: of the catalogue, or of the operating system. */
export function hasCode(error: unknown, ...codes: (ErrorCode | SystemCode)[]): boolean {
  return error instanceof Error && "code" in error && codes.some((code) => code === error.code);
}

/** What may be shown of any error: a `UserError` as it is, a full disk by its name, the rest as a mistake of ours. */
export function asUserError(error: unknown): UserError {
  if (error instanceof UserError) return error;

  const { code, path } = error as NodeJS.ErrnoException;
  const message = error instanceof Error ? error.message : String(error);
  const ofSystem = code === undefined ? undefined : systemErrors[code];
  if (ofSystem === "NO_SPACE") {
    return new UserError("NO_SPACE", `no space left on the disk${path ? ` at ${path}` : ""}`, {
      cause: error,
    });
  }
  return new UserError(ofSystem ?? "INTERNAL", message, { cause: error });
}

/** Whether a tool says with these words that the disk is full, or what its user may have of it (ENOSPC and EDQUOT). */
export function tellsNoSpace(output: string): boolean {
  return /No space left on device|Disk quota exceeded/.test(output);
}

/** What the operating system and SQLite say when the machine, and not reeve, is in trouble: errno(3), sqlite.org/rescode.html. */
const systemErrors: Record<string, ErrorCode> = {
  ENOSPC: "NO_SPACE",
  EDQUOT: "NO_SPACE",
  SQLITE_FULL: "NO_SPACE",
  EMFILE: "RESOURCES_EXHAUSTED",
  ENFILE: "RESOURCES_EXHAUSTED",
  ENOMEM: "RESOURCES_EXHAUSTED",
  EAGAIN: "RESOURCES_EXHAUSTED",
  SQLITE_NOMEM: "RESOURCES_EXHAUSTED",
  EROFS: "SYSTEM_REFUSED",
  EIO: "SYSTEM_REFUSED",
  SQLITE_IOERR: "SYSTEM_REFUSED",
  SQLITE_READONLY: "SYSTEM_REFUSED",
  SQLITE_CANTOPEN: "SYSTEM_REFUSED",
};

/** Characters of a message that are told: what a tool printed may be quoted in it. */
const longestMessage = 64 * 1024;

/** The same two lines everywhere: on a terminal, in a push, in a log. What somebody else wrote may be quoted in them. */
export function describeError(error: UserError): string[] {
  const [first = "", ...rest] = printable(error.message.slice(0, longestMessage)).split("\n");
  return [
    `error[${error.code}]: ${first}`,
    ...rest.map((line) => `  ${line}`),
    `hint: ${error.hint}`,
  ];
}
