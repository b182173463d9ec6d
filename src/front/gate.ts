import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Logger } from "pino";
import { asUserError, UserError, type ErrorCode } from "../errors.ts";
import { isAccountName } from "../app/names.ts";
import { firstLook, type Head } from "../push/first-look.ts";
import type { HookWorld } from "../push/hooks.ts";
import type { Pushers } from "../push/pushers.ts";
import type { Caller, FrontStore } from "../store/front/store.ts";
import { parseAuthorization, type Credentials } from "./credentials.ts";
import { answerAdvertisement, answerService, refuse } from "./git-http.ts";
import type { GitService } from "./node-git-server.ts";
import { openRepository, type Entrance, type Wish } from "./open-repository.ts";
import { findRoute, type Route } from "./route.ts";
import type { Places } from "./places.ts";
import type { Throttle } from "./throttle.ts";

export interface Gate extends Entrance, HookWorld {
  credentials: Credentials;
  throttle: Throttle;
  store: FrontStore;
  pushers: Pushers;
  places: Places;
  confine: (pid: number) => Promise<void>;
  /** Bytes. */
  pushLimit: number;
  log: Logger;
}

const longestFetchQuestion = 64 * 1024 * 1024;

/** Every request passes here: who is it, what is asked, may they. Only then does git hear of it. */
export function gateListener(gate: Gate): RequestListener {
  return (question, answer) => {
    // The library and git answer for themselves; a request that breaks is not the process's end.
    question.on("error", () => undefined);
    answer.on("error", () => undefined);
    pass(gate, question, answer).catch((error: unknown) => {
      const told = asUserError(error);
      if (told.code === "INTERNAL")
        gate.log.error(
          { err: error, url: question.url },
          "a request failed by a mistake of reeve's",
        );
      question.unpipe();
      question.resume();
      refuse(answer, statuses[told.code] ?? 403, told);
    });
  };
}

const statuses: Partial<Record<ErrorCode, number>> = {
  APP_UNKNOWN: 404,
  TOO_MANY_ATTEMPTS: 429,
  INTERNAL: 500,
  RESOURCES_EXHAUSTED: 503,
};

async function pass(gate: Gate, question: IncomingMessage, answer: ServerResponse): Promise<void> {
  const caller = identify(gate, question);
  if (!caller) {
    question.resume();
    refuse(answer, 401, "who are you? Give the token as the password, when git asks for it");
    return;
  }
  const route = findRoute({
    method: question.method ?? "",
    url: question.url ?? "",
    contentType: question.headers["content-type"],
  });
  if (!("kind" in route)) {
    question.resume();
    refuse(answer, route.status, route.message, route.isLfs);
    return;
  }
  const { app, service, kind } = route;
  const repository = await openRepository(gate, caller, {
    app,
    service,
    isLook: kind === "advertise",
  });
  if (kind === "advertise") {
    // The push itself comes in a moment, and with it a git to confine: the agent has the kernel begin.
    if (service === "receive-pack") gate.pushers.policyOf(app).catch(() => undefined);
    await advertise(gate, { caller, app, service, repository }, answer);
  } else await answerGit(gate, { caller, route, repository }, question, answer);
}

/** Another git, and one that nobody may read to its end: it has a place as well. */
async function advertise(
  gate: Gate,
  {
    repository,
    caller,
    ...wish
  }: { caller: Caller; app: string; service: GitService; repository: string },
  answer: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  answer.once("close", () => gone.abort());
  const leave = await placeToRead(gate, caller, { ...wish, isLook: true }, gone.signal);
  answer.once("close", leave);
  if (answer.closed) leave();
  else answerAdvertisement(repository, wish.service, answer);
}

/** Whoever waited for a place is judged once more: what they want to read may be closed to them by now. */
async function placeToRead(
  gate: Gate,
  caller: Caller,
  wish: Wish,
  gone: AbortSignal,
): Promise<() => void> {
  const leave = await gate.places.take(caller.account, gone);
  try {
    await openRepository(gate, caller, wish);
    return leave;
  } catch (error) {
    leave();
    throw error;
  }
}

/** Whose request it is, or undefined; `TOO_MANY_ATTEMPTS` for one who guesses. */
function identify(gate: Gate, question: IncomingMessage): Caller | undefined {
  const header = onlyHeader(question, "authorization");
  const given = parseAuthorization(header);
  const caller = given && gate.credentials.byToken(given);
  // Every git begins without credentials, and goes on with a name and no token where the remote's address has a name.
  if (caller || question.headers.authorization === undefined || given?.token === "") return caller;

  // The address is nginx's word: it overwrites what the client says, and nobody else reaches this socket.
  const address = onlyHeader(question, "x-real-ip") ?? "unknown";
  const name = given && isAccountName(given.name) ? given.name : "(no account's name)";
  // A name that nobody has may be a token or a password in the wrong place: it is not repeated anywhere.
  const shown = gate.store.accounts.get(name) ? name : "(no account's name)";
  const judgement = gate.throttle.wrong({ address, name });
  if (judgement !== "too many") {
    const isLast = judgement === "first too many";
    gate.store.audit.write({
      account: null,
      via: "http",
      action: isLast ? "throttle" : "identify",
      outcome: "refused",
      detail: `wrong token for ${shown} from ${address}${isLast ? "; more of them are not written down" : ""}`,
    });
    if (isLast) gate.log.warn({ address, name: shown }, "too many wrong tokens");
  }
  if (judgement === "counted") return undefined;
  throw new UserError(
    "TOO_MANY_ATTEMPTS",
    "too many wrong tokens came from you or for this account",
  );
}

async function answerGit(
  gate: Gate,
  { caller, route, repository }: { caller: Caller; route: Route; repository: string },
  question: IncomingMessage,
  answer: ServerResponse,
): Promise<void> {
  const { service, app } = route;
  const request = { repository, service, log: gate.log, confine: gate.confine };
  if (service === "upload-pack") {
    const enter = (gone: AbortSignal): Promise<() => void> =>
      placeToRead(gate, caller, { app, service, isLook: false }, gone);
    await answerService({ ...request, enter, limit: longestFetchQuestion }, question, answer);
    return;
  }
  // Its hooks judge the right to each ref.
  const enter = (gone: AbortSignal): Promise<() => void> => gate.places.take(caller.account, gone);
  const pusher = { caller, app, policy: gate.pushers.policyOf(app) };
  const push = {
    look: (head: Head) => firstLook(gate, pusher, head),
    onStart: (pid: number) => gate.pushers.started(pid, pusher, pusher.policy),
    onEnd: (pid: number) => gate.pushers.ended(pid)?.lastWords,
  };
  try {
    await answerService({ ...request, enter, limit: gate.pushLimit, push }, question, answer);
  } finally {
    // Where no git was started for it, none ends.
    await gate.apps.leave(app);
  }
}

/** Two headers of one name are one too many to decide by. */
function onlyHeader(question: IncomingMessage, name: string): string | undefined {
  const values = question.headersDistinct[name];
  return values?.length === 1 ? values[0] : undefined;
}
