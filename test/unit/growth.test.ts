import { InvalidArgumentError } from "commander";
import { describe, expect, it } from "vitest";
import { agentVerbs } from "../../src/protocol/agent-verbs.ts";
import * as names from "../../src/names/names.ts";
import { changed, isUntouched, sign } from "../../src/system/signature.ts";
import { pastTime, startTime, wholeNumber } from "../../src/cli/input.ts";
import { table } from "../../src/cli/table.ts";
import { appOptions } from "../../src/config/app-options.ts";
import { readOptions, withOption } from "../../src/config/option-table.ts";
import { unhealthy } from "../../src/agent/deploy/steps/health.ts";
import { nearestBasis, originOf } from "../../src/agent/environment/basis.ts";
import { filesCovered, nothingCovered } from "../../src/agent/environment/coverage.ts";
import { contentsOf } from "../../src/agent/environment/tree-contents.ts";
import { withoutUser } from "../../src/agent/environment/netrc.ts";
import { constraintsOf } from "../../src/agent/environment/requirements.ts";
import { withoutCredentials } from "../../src/system/credentials.ts";
import { describeError, isErrorCode, tellsNoSpace, UserError } from "../../src/errors.ts";
import { commands } from "../../src/protocol/commands.ts";
import { parseAuthorization } from "../../src/front/accounts/credentials.ts";
import { parsePublicKey } from "../../src/front/accounts/public-key.ts";
import { findRoute } from "../../src/front/http/route.ts";
import { answerSsh, type SshWorld } from "../../src/front/ssh/ssh.ts";
import { isCommandName } from "../../src/protocol/command-names.ts";
import { splitWords } from "../../src/protocol/ssh-words.ts";
import type { Command } from "../../src/system/system.ts";
import { LineSplitter, linesOf, printable } from "../../src/system/lines.ts";
import { withPort, wordsOf } from "../../src/config/listening.ts";
import { hostAt } from "../../src/config/visited.ts";
import { isPreviewed } from "../../src/config/preview-pattern.ts";
import { placesOf } from "../../src/agent/preview/host-path-port.ts";
import { choosePreviewName, slugOf } from "../../src/agent/preview/slug.ts";
import { declaresPackages } from "../../src/front/push/declared.ts";
import { decodeRequirements } from "../../src/front/push/encoding.ts";
import { refusalOfPack } from "../../src/front/push/objects.ts";
import { judgeRef, parseRefUpdates, refAction } from "../../src/front/push/policy.ts";
import { moduleOfProcesses, parseProcfile } from "../../src/front/push/procfile.ts";
import { readProposal } from "../../src/front/push/proposal.ts";
import { includesOf } from "../../src/front/push/requirements.ts";
import { subjectOf } from "../../src/front/push/subject.ts";
import { parseReplies, type CommitTree, type Entry } from "../../src/front/push/tree.ts";
import { expectFetchable, parseModules } from "../../src/agent/release/modules.ts";
import { parseChanges } from "../../src/agent/release/release-commands.ts";
import { expectVariablesChange } from "../../src/agent/variables/variables.ts";
import { parseCoverage } from "../../src/agent/store/coverage.ts";
import { parseVassalName } from "../../src/names/vassal.ts";
import { hasTraceback, reasonOfFailure } from "../../src/agent/vassal/app-log.ts";
import { linesSince, requestsSince, timeOfLine } from "../../src/agent/vassal/log-times.ts";
import { allParsers, parsersOf } from "../support/parsers.ts";

type Parser = (text: string) => unknown;

const commit = "ab".repeat(20);
const policy = { productionBranch: "main", previews: "all", root: "" };
const where = { app: "demo", root: "" };
const file = (path: string, text: string): Entry => ({
  path,
  kind: "file",
  size: text.length,
  bytes: Buffer.from(text),
});
const absent = (path: string): Entry => ({ path, kind: "absent", size: 0 });

/** A commit whose only file this is, beside an app where that is not the app's own; it was read from git. */
function treeOf(path: string, text: string): CommitTree {
  const isThere = (asked: string): boolean =>
    asked === path || (asked === "app.py" && path !== "Procfile");
  return {
    look: (paths: string[]) =>
      Promise.resolve(paths.map((asked) => (isThere(asked) ? file(asked, text) : absent(asked)))),
    read: (asked: string) => Promise.resolve(asked === path ? text : undefined),
    readBytes: (asked: string) => Promise.resolve(asked === path ? Buffer.from(text) : undefined),
    folders: () => Promise.resolve([]),
  } as unknown as CommitTree;
}

/** What is looked at of a Procfile is a line of it. */
const moduleOfProcfile: Parser = (text) => moduleOfProcesses(parseProcfile(text));

/** A commit without an app, and with these folders. */
function foldersOf(text: string): CommitTree {
  const folders = (): Promise<string[]> => Promise.resolve(text.split("\n"));
  return {
    look: (paths: string[]) => Promise.resolve(paths.map(absent)),
    read: () => Promise.resolve(undefined),
    readBytes: () => Promise.resolve(undefined),
    folders,
    allFolders: folders,
  } as unknown as CommitTree;
}

const sshWorld = {
  credentials: { byKey: () => ({ account: "admin", via: "ssh", proof: "administrator" }) },
  store: { audit: { write: () => undefined } },
} as unknown as SshWorld;

/** As many folders of a tree as a text of this length may name, and git's answers for each. */
const inFolders: Parser = (text) => {
  const reads = Array.from({ length: text.length / 1024 }, (_, n) => ({
    ...{ path: `${"a".repeat(1000)}/../${n}`, as: "folder" as const },
  }));
  const trees = reads.map((_, n) => `${String(n).padStart(40, "0")} tree`);
  const named = trees.map((tree) => `${tree} 30`).join("\n");
  const listed = trees.map((tree, n) => `040000 tree ${tree.slice(0, 40)}\t${n}`).join("\0");
  const run = ({ args }: Command): Promise<string> =>
    Promise.resolve(args.includes("cat-file") ? named : listed);
  const git = { repository: "", configuration: "" };
  return contentsOf({ system: { isRoot: false, run }, git, commit }, { ...nothingCovered, reads });
};

/** As it comes from a pipe. */
const inChunks: Parser = (text) => {
  const splitter = new LineSplitter(() => undefined, Infinity);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 4096) splitter.write(bytes.subarray(at, at + 4096));
  splitter.end();
};

/** What looks into text that somebody else wrote, by its module and its name. */
const parsers: Record<string, Parser | Parser[]> = {
  "errors.ts isErrorCode": isErrorCode,
  "errors.ts tellsNoSpace": tellsNoSpace,
  "errors.ts describeError": (text) => describeError(new UserError("INTERNAL", text)),
  "names/names.ts isAppName": names.isAppName,
  "names/names.ts expectAppName": names.expectAppName,
  "names/names.ts appNameError": names.appNameError,
  "names/names.ts expectAccountName": names.expectAccountName,
  "names/names.ts isAccountName": names.isAccountName,
  "names/names.ts isBranchRef": names.isBranchRef,
  "names/names.ts branchOf": names.branchOf,
  "names/names.ts isTagRef": names.isTagRef,
  // As the agent lets it in.
  "names/names.ts quotedBranch": (text) => names.quotedBranch(text.slice(0, 500)),
  // No path of a release is longer.
  "names/names.ts quoted": (text) => names.quoted(text.slice(0, 1024)),
  "names/names.ts previewName": (text) => names.previewName(text, text),
  "names/names.ts appOfInstance": names.appOfInstance,
  "names/names.ts slugOfPreview": names.slugOfPreview,
  "names/names.ts isPreviewName": names.isPreviewName,
  "names/names.ts isHostName": names.isHostName,
  "names/names.ts shortCommit": names.shortCommit,
  "names/names.ts moduleName": (text) => names.moduleName.safeParse(text),
  "names/names.ts isRootFolder": names.isRootFolder,
  "names/names.ts rootFolder": (text) => names.rootFolder.safeParse(text),
  "names/names.ts branchName": (text) => names.branchName.safeParse(text),
  "names/names.ts commitId": (text) => names.commitId.safeParse(text),
  "names/vassal.ts parseVassalName": [
    (text) => parseVassalName(`demo.next-${text}.ini`),
    (text) => parseVassalName(`${text}.next-7.ini`),
    (text) => parseVassalName(`demo.${text}.1.ini`),
  ],
  "names/names.ts variableNameGrammar": (text) => names.variableNameGrammar.test(text),
  "names/names.ts reservedVariable": (text) => names.reservedVariable.test(text),
  "system/signature.ts sign": sign,
  "system/signature.ts isUntouched": isUntouched,
  "system/signature.ts changed": [
    (text) => changed(text, (one) => one),
    (text) => changed(sign(`reeve (unsigned)${text}`), (one) => one),
  ],
  "protocol/agent-verbs.ts agentVerbs": [
    (text) => agentVerbs.prepareRemoval.input.safeParse({ ref: `refs/heads/${text}` }),
    (text) =>
      agentVerbs.prepare.input.safeParse({
        deploy: 1,
        subject: text,
        proposal: {
          processes: [{ type: "web", kind: "wsgi", module: text }],
          root: text,
          requirements: [{ path: text, text }],
        },
      }),
    (text) => agentVerbs.deployLog.input.safeParse({ app: text, number: 1 }),
  ],
  "cli/input.ts wholeNumber": wholeNumber,
  "cli/input.ts pastTime": pastTime,
  "cli/input.ts startTime": startTime,
  "cli/table.ts table": (text) => table(["A"], [[text]]),
  "config/option-table.ts withOption": [
    (text) => withOption(appOptions, text, "web_processes", "4"),
    (text) => withOption(appOptions, "", text, "4"),
    (text) => withOption(appOptions, "", "previews", text),
  ],
  "config/option-table.ts readOptions": (text) =>
    readOptions(appOptions, { path: "", text, code: "OPTION_INVALID" }),
  "agent/deploy/steps/health.ts unhealthy": (text) => unhealthy(text, text.split("\n")),
  "agent/environment/basis.ts originOf": (text) => {
    const inputs: Parameters<typeof originOf>[1] = {
      files: [{ path: "requirements.txt", text }],
      ...{ abi: "", installer: "uv", indexes: [], variables: {}, generation: 0 },
    };
    const origin = originOf("", inputs);
    return nearestBasis([{ ...origin, lines: origin.lines.slice(1) }], origin, {
      ...inputs,
      coverage: nothingCovered,
    });
  },
  "agent/environment/netrc.ts withoutUser": withoutUser,
  "agent/environment/coverage.ts filesCovered": (text) =>
    filesCovered([{ path: text, text }], { ...nothingCovered, files: [text] }),
  "agent/environment/tree-contents.ts contentsOf": inFolders,
  "agent/store/coverage.ts parseCoverage": [
    parseCoverage,
    (text) => parseCoverage(JSON.stringify({ ...nothingCovered, files: [text] })),
  ],
  "agent/environment/requirements.ts constraintsOf": constraintsOf,
  "protocol/commands.ts commands": [
    (text) => commands.addAccount.input.safeParse({ account: text, mayCreate: true }),
    (text) => commands.removeKey.input.safeParse({ fingerprint: text }),
  ],
  "front/accounts/credentials.ts parseAuthorization": [
    parseAuthorization,
    (text) => parseAuthorization(`Basic ${text}`),
    (text) => parseAuthorization(`Basic ${Buffer.from(text).toString("base64")}`),
  ],
  "front/accounts/public-key.ts parsePublicKey": [
    parsePublicKey,
    (text) => parsePublicKey(`ssh-ed25519 AAAA ${text}`),
    (text) => parsePublicKey(`ssh-rsa ${Buffer.from(text).toString("base64")}`),
  ],
  "front/http/route.ts findRoute": (text) =>
    findRoute({ method: "GET", url: `/${text}`, contentType: text }),
  "protocol/command-names.ts isCommandName": isCommandName,
  "protocol/ssh-words.ts splitWords": splitWords,
  "front/ssh/ssh.ts answerSsh": [
    (text) => answerSsh(sshWorld, { key: "", pid: 1, command: text }),
    (text) => answerSsh(sshWorld, { key: "", pid: 1, command: `git-upload-pack '${text}` }),
  ],
  "system/credentials.ts withoutCredentials": withoutCredentials,
  "system/lines.ts LineSplitter": inChunks,
  "system/lines.ts linesOf": (text) => [...linesOf(text)].length,
  "system/lines.ts printable": printable,
  "config/listening.ts wordsOf": wordsOf,
  "config/listening.ts withPort": (text) => withPort(text, 80),
  "config/visited.ts hostAt": (text) => hostAt(text, { scheme: "http", port: 8080 }),
  "config/preview-pattern.ts isPreviewed": [
    (text) => isPreviewed(text, "feature/cart"),
    (text) => isPreviewed("feature/*", text),
    (text) => isPreviewed("*a*b*c", text),
  ],
  "agent/preview/host-path-port.ts placesOf": (text) =>
    placesOf(text, "localhost", { preview_host: "", preview_ports: "" }),
  "agent/preview/slug.ts slugOf": slugOf,
  "agent/preview/slug.ts choosePreviewName": (text) => choosePreviewName("demo", text, () => false),
  "front/push/encoding.ts decodeRequirements": (text) =>
    decodeRequirements(text.slice(0, 500), Buffer.from(text)),
  "front/push/policy.ts judgeRef": [
    (text) => judgeRef("demo", policy, { ref: text, oldCommit: commit, newCommit: commit }),
    (text) =>
      judgeRef("demo", policy, { ref: `refs/heads/${text}`, oldCommit: commit, newCommit: commit }),
  ],
  "front/push/policy.ts refAction": (text) => refAction("main", text),
  "front/push/policy.ts parseRefUpdates": [
    parseRefUpdates,
    (text) => parseRefUpdates(`${commit} ${commit} refs/heads/${text}`),
    (text) =>
      parseRefUpdates(`${commit} ${commit} refs/heads/main\n`.repeat(Math.ceil(text.length / 100))),
  ],
  "front/push/declared.ts declaresPackages": [
    declaresPackages,
    (text) => declaresPackages(`[project]\n${text}`),
    (text) => declaresPackages(`[tool.poetry.dependencies]\n${text}`),
  ],
  "front/push/procfile.ts parseProcfile": parseProcfile,
  "front/push/procfile.ts moduleOfProcesses": [
    moduleOfProcfile,
    (text) => moduleOfProcfile(`web: ${text}`),
    (text) => moduleOfProcfile(`wsgi: ${text}`),
  ],
  "front/push/proposal.ts readProposal": [
    (text) => readProposal(treeOf("requirements.txt", text), where),
    (text) => readProposal(treeOf("Procfile", text), where),
    // git is ended where it lists more.
    (text) => readProposal(foldersOf(text.slice(0, 256 * 1024)), where),
  ],
  "front/push/requirements.ts includesOf": [
    (text) => [...includesOf("requirements.txt", text)],
    (text) => [...includesOf("requirements.txt", `-r ${text}`)],
  ],
  "front/push/subject.ts subjectOf": [
    (text) => subjectOf(Buffer.from(text)),
    (text) => subjectOf(Buffer.from(`tree ${commit}\n\n${text}`)),
    (text) => subjectOf(Buffer.from(`encoding ${text}\n\n${text}`)),
  ],
  "front/push/objects.ts refusalOfPack": [
    (text) => refusalOfPack(text, true),
    (text) => refusalOfPack(`error: object ${commit}: ${text}`, false),
    (text) => refusalOfPack(`fatal: ${text}\n`.repeat(3), false),
  ],
  "front/push/tree.ts parseReplies": [
    (text) => parseReplies(text, [{ what: "info", path: "a" }]),
    (text) =>
      parseReplies(
        `${commit} blob 3\n`.repeat(text.length / 64),
        Array.from({ length: text.length / 64 }, (_, n) => ({ what: "info", path: String(n) })),
      ),
    (text) =>
      parseReplies(`${commit} blob ${text.length}\n${text}\n`, [{ what: "contents", path: "a" }]),
  ],
  "agent/release/modules.ts expectFetchable": [
    (text) => expectFetchable("lib", { name: text, address: text }, ["github.com"]),
    (text) => expectFetchable("lib", { name: "x", address: `https://${text}` }, []),
    (text) => expectFetchable("lib", { name: "x", address: `git@a.b:${text}` }, []),
  ],
  "agent/release/modules.ts parseModules": parseModules,
  "agent/release/release-commands.ts parseChanges": parseChanges,
  "agent/variables/variables.ts expectVariablesChange": [
    (text) => expectVariablesChange({ set: { [text]: "1" }, unset: [] }),
    (text) => expectVariablesChange({ set: { NAME: text.slice(0, 64 * 1024) }, unset: [] }),
  ],
  "agent/vassal/log-times.ts timeOfLine": [
    timeOfLine,
    (text) => timeOfLine(`[pid: 1|app: 0|req: 1/1] ${text}`),
    (text) => timeOfLine(`[pid: 1|app: 0] {1 vars in 1 bytes} [Mon Nov 30 14:52:40 2026] ${text}`),
  ],
  "agent/vassal/log-times.ts linesSince": (text) => linesSince(text.split("\n"), 1, 2),
  "agent/vassal/log-times.ts requestsSince": [
    (text) => requestsSince(text.split("\n"), 1),
    (text) => requestsSince([`{"time":"${text}`], 1),
  ],
  "agent/vassal/app-log.ts hasTraceback": (text) => hasTraceback([text, ...text.split("\n")]),
  "agent/vassal/app-log.ts reasonOfFailure": [
    (text) => reasonOfFailure(text.split("\n")),
    (text) => reasonOfFailure([`Python version: ${text}`, text]),
    (text) =>
      reasonOfFailure(["Traceback (most recent call last):", " x", text, ...text.split("x")]),
  ],
};

/** What these look at is reeve's own or the administrator's: a name that has passed its grammar, a row, an ini. */
const ours = [
  "agent/verbs/queries.ts expectInstance",
  "agent/verbs/queries.ts expectApp",
  "config/config.ts variableName",
  // Addresses that were judged, or that the kernel told.
  "config/listening.ts addressesOf",
  "system/ports.ts shortestForm",
  "config/layout.ts embeddedLayout",
  "names/vassal.ts nameOfUnderstudy",
  "names/vassal.ts permanentVassal",
  "names/vassal.ts understudyOf",
  "names/vassal.ts vassalForGood",
  "config/option-table.ts starterFile",
  "agent/instance/previews.ts expectPreview",
  "agent/instance/vassals.ts isDrained",
  "agent/instance/vassals.ts permanentOf",
  "front/http/git-http.ts answerAdvertisement",
  "system/control-groups.ts ownGroup",
  "system/control-groups.ts parseGroups",
  "system/git.ts gitEnvironment",
  "system/git.ts quarantinePath",
  "system/git.ts unclaimedPath",
  "system/git.ts withQuarantine",
  "system/identity.ts newUser",
  "agent/environment/environment.ts markerOf",
  "agent/environment/workshop.ts scratchOf",
  "agent/environment/workshop.ts workshopsOf",
  "front/accounts/authorized-keys.ts authorizedKey",
  "agent/release/release-commands.ts linkedCopyOf",
  "agent/release/release-commands.ts openingOf",
  "agent/release/release-commands.ts sealOf",
  "agent/variables/variables.ts proposedVariables",
  "system/sqlite.ts shortened",
  "agent/vassal/on-demand.ts withIdle",
  "agent/vassal/vassal.ts groupOf",
  "agent/vassal/vassal-ini.ts understudyIni",
  "agent/vassal/vassal-ini.ts withVirtualenv",
  "agent/vassal/vassal-ini.ts withUser",
];

/** What repeats: each alone, and what the grammars above let stand again and again. */
const fillings = [
  ...[" ", "\t", "\n", "\r", "[", ":", '"', "'", "\\", "/", ".", "-", "=", "@", "a", "0", "\u2028"],
  ...["\u001b[", "\u001b]", " \n", "a:\n", "-e\n", "-r a\n", "a[", "a @", "//a@", "a.", "a.a:"],
  ...["a=1 ", "uid = \n", "'\"", "a==1\n", "M\0a\0", "encoding a\n", "AAAA"],
];
/** Alone, and so that neither its beginning nor its end fits. */
const forms: ((text: string) => string)[] = [(text) => text, (text) => `x${text.slice(2)}\u00a7`];

/** The short form takes a quarter of it: the whole is a minute. */
const largest = process.env["ROUNDS"] === undefined ? 256 * 1024 : 1024 * 1024;
const sizes = { short: largest / 16, long: largest };
const mostGrowth = 32;
/** Microseconds that are nothing but the clock's own unrest. */
const unrest = 2000;
const hopeless = 1_000_000;

/** Microseconds of the processor. */
async function cost(parser: Parser, text: string): Promise<number> {
  const before = process.cpuUsage();
  try {
    await parser(text);
  } catch (error) {
    if (!(error instanceof UserError || error instanceof InvalidArgumentError)) throw error;
  }
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

interface Sizes {
  short: number;
  long: number;
}

/** The best of five tries of the long text against the best of the short one; nothing where it grows no faster. */
async function excess(
  parser: Parser,
  filled: (length: number) => string,
  { short, long }: Sizes,
): Promise<string | undefined> {
  const texts = { short: filled(short), long: filled(long) };
  let best = { short: Infinity, long: Infinity };
  for (let turn = 0; turn < 5; turn += 1) {
    best = { ...best, short: Math.min(best.short, await cost(parser, texts.short)) };
    // The long one would take minutes.
    if (best.short > hopeless) break;
    best = { ...best, long: Math.min(best.long, await cost(parser, texts.long)) };
    if (best.long <= mostGrowth * Math.max(best.short, unrest)) return undefined;
  }
  return `${best.short} µs, then ${best.long} µs`;
}

/** One filling that is too slow is enough: it takes its time, and others would as well. */
async function firstExcess(parser: Parser): Promise<string | undefined> {
  for (const filling of fillings) {
    for (const form of forms) {
      const filled = (length: number): string =>
        form(filling.repeat(Math.ceil(length / filling.length)).slice(0, length));
      const found = await excess(parser, filled, sizes);
      if (found !== undefined) return `${JSON.stringify(form(filling))}: ${found}`;
    }
  }
  return undefined;
}

/** Where the lint does not see it. */
function built(before: string, after: string): RegExp {
  return new RegExp(`${before}\\s${after}`);
}

describe("the time that text of others takes grows with its length and no faster", () => {
  it.each(Object.entries(parsers))("%s", async (_, some) => {
    for (const parser of [some].flat()) expect(await firstExcess(parser)).toBeUndefined();
  });

  it.each<[string, Parser]>([
    ["an expression that moves on", (text) => built("", "+$").test(text)],
    ["an expression that goes back", (text) => built("^", "*\\s*$").test(text)],
    [
      "a rest that is copied",
      (text) => {
        for (let rest = text; rest !== ""; rest = Array.from(rest).slice(64).join(""));
      },
    ],
    [
      "words that are looked up in a list",
      (text) => Array.from(text).filter((_, n, all) => !all.includes("y", n)),
    ],
  ])("is measured so that it is found: %s", async (_, parser) => {
    const filled = (length: number): string => `${" ".repeat(length - 1)}x`;

    expect(await excess(parser, filled, { short: 2 * 1024, long: 32 * 1024 })).toBeDefined();
  });
});

describe("the table of what looks into text", () => {
  it("has every exported function that does, but for those that get reeve's own names", () => {
    const known = [...Object.keys(parsers), ...ours];

    expect(allParsers().filter((parser) => !known.includes(parser))).toEqual([]);
  });

  it("names nothing that is gone", () => {
    const all = allParsers();
    const files = new Set(all.map((parser) => parser.split(" ")[0]));

    expect(ours.filter((parser) => !all.includes(parser))).toEqual([]);
    for (const parser of Object.keys(parsers))
      if (files.has(parser.split(" ")[0])) expect(parser).toMatch(/^[a-z/-]+\.ts \w+$/);
  });

  it.each([
    "export function subjectOf(message: Buffer): string { return message.toString().trim(); }",
    "export function first(text: string): string { return /a/.exec(text)?.[0] ?? ''; }",
    "export function all(files: RequirementsFile[]): boolean { return files.some((f) => f.text.includes('a')); }",
    "export class Pieces { write(chunk: Buffer): void { this.rest = chunk.toString().split('a'); } }",
  ])("would be found lacking: %s", (source) => {
    expect(parsersOf("push/new.ts", source)).toHaveLength(1);
  });
});
