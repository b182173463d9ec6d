import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { z } from "zod";
import { appName } from "../names/names.ts";
import { quarantineName } from "../system/git.ts";
import { answerVerbs, readBody } from "../protocol/channel.ts";
import { answerHook } from "./hooks/answer-hook.ts";
import { firstLook, readHead } from "./push/first-look.ts";
import { expectPusher, type HookWorld } from "./push/hook-world.ts";
import type { CommandWorld } from "./commands/command.ts";
import { commandVerbs } from "./commands/commands.ts";
import { answerSsh, type SshWorld } from "./ssh/ssh.ts";
import type { Tidying } from "./repositories/tidying.ts";

/** Bytes of what git tells its hooks, or a client asks for over SSH. */
const longestText = 1024 * 1024;

export interface Control extends HookWorld, CommandWorld, Omit<SshWorld, "log"> {
  tidying: Tidying;
}

/**
 * The socket that only the front's own user and root can open: git's hooks, sshd's forced command, and the
 * commands, which are the administrator's unless they come on behalf of a key.
 */
export function controlListener(control: Control): RequestListener {
  const commands = answerVerbs(
    commandVerbs(control),
    (error) => control.log.error({ err: error }, "a command failed by a mistake of reeve's"),
    "INPUT_INVALID",
  );
  return (request, response) => {
    const address = `http://reeve${request.url ?? "/"}`;
    if (!URL.canParse(address)) {
      response.writeHead(404).end();
      return;
    }
    const url = new URL(address);
    const answering = url.pathname.startsWith("/hooks/")
      ? answerHookRequest
      : plainAnswers[url.pathname];
    // Without a verdict the answer is no: whoever broke off in the middle of a request ends nothing but that.
    if (answering) answering(control, url, request, response).catch(() => response.destroy());
    else commands(request, response);
  };
}

/** Lines with `|` before them are for the pusher; the last one is the verdict, which nothing an app prints can forge. */
async function answerHookRequest(
  control: Control,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const fields = hookFields.safeParse({
    hook: url.pathname.slice("/hooks/".length),
    app: url.searchParams.get("app"),
    pid: url.searchParams.get("pid"),
    quarantine: url.searchParams.get("quarantine") || undefined,
  });
  if (!fields.success) {
    response.writeHead(404).end();
    return;
  }
  const say = (line: string): void => {
    for (const piece of line.split("\n")) response.write(`|${piece}\n`);
  };
  response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
  const granted = await answerHook(
    control,
    { ...fields.data, text: await readBody(request, longestText) },
    say,
  );
  response.end(granted ? "=yes\n" : "=no\n");
}

const pid = z.coerce.number().int().positive();
const hookFields = z.object({
  ...{ hook: z.string(), app: appName, pid },
  quarantine: z.string().regex(quarantineName).optional(),
});

/** Who is there, and what takes the place of hooks/ssh. */
async function answerSshRequest(
  control: Control,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const fields = z
    .object({ key: z.string(), pid })
    // A blank is what a `+` in a query is read as; no fingerprint has one.
    .safeParse({
      key: url.searchParams.get("key")?.replaceAll(" ", "+"),
      pid: url.searchParams.get("pid"),
    });
  if (!fields.success) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
  const lines = await answerSsh(control, {
    ...fields.data,
    command: await readBody(request, longestText),
  });
  response.end(lines.map((line) => `${line}\n`).join(""));
}

/** hooks/receive has read what a push over SSH begins with: `=no`, and what is to be said in git's place. */
async function answerFirstLook(
  control: Control,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const fields = z
    .object({ app: appName, pid })
    .safeParse({ app: url.searchParams.get("app"), pid: url.searchParams.get("pid") });
  if (!fields.success) {
    response.writeHead(404).end();
    return;
  }
  const head = await readHead(request);
  const refusal = await firstLook(control, expectPusher(control, fields.data), head);
  response.writeHead(200, { "content-type": "application/octet-stream" });
  response.end(refusal ? Buffer.concat([Buffer.from("=no\n"), refusal]) : "=yes\n");
}

const plainAnswers: Record<string, typeof answerSshRequest> = {
  "/ssh": answerSshRequest,
  "/first-look": answerFirstLook,
};
