import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Logger } from "pino";
import { asUserError, UserError, type ErrorCode } from "../../errors.ts";
import { isAccountName } from "../../names/names.ts";
import { firstLook, type Head } from "../push/first-look.ts";
import type { HookWorld } from "../push/hook-world.ts";
import type { Pushers } from "../push/pushers.ts";
import type { Caller, FrontStore } from "../store/store.ts";
import { parseAuthorization, type Credentials } from "../accounts/credentials.ts";
import { answerAdvertisement, answerService, refuse } from "./git-http.ts";
import type { GitService } from "../repositories/node-git-server.ts";
import { openRepository, type Entrance, type Wish } from "../repositories/open-repository.ts";
import { findRoute, type Route } from "./route.ts";
import type { Slots } from "../slots.ts";
import { expectUnread } from "./wire.ts";
import type { Throttle } from "./throttle.ts";

export interface Gate extends Entrance, HookWorld {
  credentials: Credentials;
  throttle: Throttle;
  store: FrontStore;
  pushers: Pushers;
  slots: Slots;
  confine: (pid: number) => Promise<void>;
  /** Whether a token may come over plain HTTP from anywhere, and where it is to come in place of that. */
  wire: { plainHttp: boolean; url: string };
  /** Bytes. */
  pushLimit: number;
  log: Logger;
}

const longestFetchRequest = 64 * 1024 * 1024;

/** Every request passes here: who is it, what is asked, may they. Only then does git hear of it. */
export function gateListener(gate: Gate): RequestListener {
  return (request, response) => {
    // The library and git answer for themselves; a request that breaks is not the process's end.
    request.on("error", () => undefined);
    response.on("error", () => undefined);
    pass(gate, request, response).catch((error: unknown) => {
      const told = asUserError(error);
      if (told.code === "INTERNAL")
        gate.log.error(
          { err: error, url: request.url },
          "a request failed by a mistake of reeve's",
        );
      request.unpipe();
      request.resume();
      refuse(response, statuses[told.code] ?? 403, told);
    });
  };
}

const statuses: Partial<Record<ErrorCode, number>> = {
  APP_UNKNOWN: 404,
  TOO_MANY_ATTEMPTS: 429,
  INTERNAL: 500,
  RESOURCES_EXHAUSTED: 503,
};

async function pass(gate: Gate, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // Before anybody is asked for a token: git would send it the way that it came.
  expectUnread(
    {
      address: onlyHeader(request, "x-real-ip"),
      scheme: onlyHeader(request, "x-forwarded-proto"),
      hasCredentials: request.headers.authorization !== undefined,
    },
    gate.wire,
  );
  const caller = identify(gate, request);
  if (!caller) {
    request.resume();
    refuse(response, 401, "who are you? Give the token as the password, when git asks for it");
    return;
  }
  const route = findRoute({
    method: request.method ?? "",
    url: request.url ?? "",
    contentType: request.headers["content-type"],
  });
  if (!("kind" in route)) {
    request.resume();
    refuse(response, route.status, route.message, route.isLfs);
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
    await advertise(gate, { caller, app, service, repository }, response);
  } else await answerGit(gate, { caller, route, repository }, request, response);
}

/** Another git, and one that nobody may read to its end: it has a place as well. */
async function advertise(
  gate: Gate,
  {
    repository,
    caller,
    ...wish
  }: { caller: Caller; app: string; service: GitService; repository: string },
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const leave = await slotToRead(gate, caller, { ...wish, isLook: true }, gone.signal);
  response.once("close", leave);
  if (response.closed) leave();
  else answerAdvertisement(repository, wish.service, response);
}

/** Whoever waited for a place is judged once more: what they want to read may be closed to them by now. */
async function slotToRead(
  gate: Gate,
  caller: Caller,
  wish: Wish,
  gone: AbortSignal,
): Promise<() => void> {
  const leave = await gate.slots.take(caller.account, gone);
  try {
    await openRepository(gate, caller, wish);
    return leave;
  } catch (error) {
    leave();
    throw error;
  }
}

/** Whose request it is, or undefined; `TOO_MANY_ATTEMPTS` for one who guesses. */
function identify(gate: Gate, request: IncomingMessage): Caller | undefined {
  const header = onlyHeader(request, "authorization");
  const given = parseAuthorization(header);
  const caller = given && gate.credentials.byToken(given);
  // Every git begins without credentials, and goes on with a name and no token where the remote's address has a name.
  if (caller || request.headers.authorization === undefined || given?.token === "") return caller;

  // The address is nginx's word: it overwrites what the client says, and nobody else reaches this socket.
  const address = onlyHeader(request, "x-real-ip") ?? "unknown";
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
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { service, app } = route;
  const serving = { repository, service, log: gate.log, confine: gate.confine };
  if (service === "upload-pack") {
    const enter = (gone: AbortSignal): Promise<() => void> =>
      slotToRead(gate, caller, { app, service, isLook: false }, gone);
    await answerService({ ...serving, enter, limit: longestFetchRequest }, request, response);
    return;
  }
  // Its hooks judge the right to each ref.
  const enter = (gone: AbortSignal): Promise<() => void> => gate.slots.take(caller.account, gone);
  const pusher = { caller, app, policy: gate.pushers.policyOf(app) };
  const push = {
    look: (head: Head) => firstLook(gate, pusher, head),
    onStart: (pid: number) => gate.pushers.started(pid, pusher, pusher.policy),
    onEnd: (pid: number) => gate.pushers.ended(pid)?.lastWords,
  };
  try {
    await answerService({ ...serving, enter, limit: gate.pushLimit, push }, request, response);
  } finally {
    // Where no git was started for it, none ends.
    await gate.apps.leave(app);
  }
}

/** Two headers of one name are one too many to decide by. */
function onlyHeader(request: IncomingMessage, name: string): string | undefined {
  const values = request.headersDistinct[name];
  return values?.length === 1 ? values[0] : undefined;
}
