import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Logger } from "pino";
import { UserError, asUserError } from "../errors.ts";
import type { Pushers } from "../push/pushers.ts";
import { answerAdvertisement, answerService, refuse } from "./git-http.ts";
import type { Repositories } from "./repositories.ts";
import type { Account, Rights } from "./rights.ts";
import { findRoute, type Route } from "./route.ts";

export interface Gate {
  rights: Rights;
  repositories: Repositories;
  pushers: Pushers;
  /** Makes an app that a push asks for. */
  createApp: (app: string) => Promise<void>;
  createOnPush: boolean;
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
    void pass(gate, question, answer).catch((error: unknown) => {
      const told = asUserError(error);
      if (told.code === "INTERNAL")
        gate.log.error(
          { err: error, url: question.url },
          "a request failed by a mistake of reeve's",
        );
      refuse(
        answer,
        told.code === "INTERNAL" ? 500 : told.code === "APP_UNKNOWN" ? 404 : 403,
        told,
      );
    });
  };
}

async function pass(gate: Gate, question: IncomingMessage, answer: ServerResponse): Promise<void> {
  const account = gate.rights.identify(onlyHeader(question, "authorization"));
  if (!account) {
    question.resume();
    refuse(answer, 401, "who are you? Give the token as the password: http://admin:TOKEN@…");
    return;
  }
  const route = findRoute({
    method: question.method ?? "",
    url: question.url ?? "",
    contentType: question.headers["content-type"],
  });
  if (!("kind" in route)) {
    question.resume();
    refuse(answer, route.status, route.message);
    return;
  }
  const repository = await findRepository(gate, account, route);
  if (route.kind === "advertise") answerAdvertisement(repository, route.service, answer);
  else await answerGit(gate, { account, route, repository }, question, answer);
}

/** The repository, made by a push where the server allows it; never by a look or a fetch. */
async function findRepository(gate: Gate, account: Account, route: Route): Promise<string> {
  const { rights, repositories } = gate;
  const isPush = route.service === "receive-pack";
  if (!rights.may(account, isPush ? "push" : "read", route.app)) {
    throw new UserError(
      "NOT_ALLOWED",
      `${account.name} may not ${isPush ? "push to" : "read"} ${route.app}`,
    );
  }
  if (await repositories.has(route.app)) return repositories.path(route.app);

  if (!isPush || !gate.createOnPush || !rights.may(account, "create", route.app)) {
    throw new UserError("APP_UNKNOWN", `there is no app ${route.app}`);
  }
  if (route.kind === "advertise") return repositories.empty();
  await gate.createApp(route.app);
  return repositories.path(route.app);
}

async function answerGit(
  gate: Gate,
  { account, route, repository }: { account: Account; route: Route; repository: string },
  question: IncomingMessage,
  answer: ServerResponse,
): Promise<void> {
  const isPush = route.service === "receive-pack";
  await answerService(
    {
      repository,
      service: route.service,
      limit: isPush ? gate.pushLimit : longestFetchQuestion,
      log: gate.log,
      onStart: (pid) => {
        if (isPush) gate.pushers.started(pid, { account: account.name, app: route.app });
      },
      onEnd: (pid, wasKilled) => {
        if (!isPush) return;
        gate.pushers.ended(pid);
        if (wasKilled) void gate.repositories.sweepOne(route.app);
      },
    },
    question,
    answer,
  );
}

/** Two headers of one name are one too many to decide by. */
function onlyHeader(question: IncomingMessage, name: string): string | undefined {
  const values = question.headersDistinct[name];
  return values?.length === 1 ? values[0] : undefined;
}
