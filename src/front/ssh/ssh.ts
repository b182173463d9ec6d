import { join } from "node:path";
import type { Logger } from "pino";
import { programRoot } from "../../config/config.ts";
import type { Layout } from "../../config/layout.ts";
import { isAppName, appNameError } from "../../names/names.ts";
import { asUserError, describeError, UserError } from "../../errors.ts";
import { gitEnvironment } from "../../system/git.ts";
import { shellLimits, type Limits } from "../../system/limits.ts";
import { parentOf } from "../../system/processes.ts";
import { isCommandName } from "../../protocol/command-names.ts";
import { splitWords } from "../../protocol/ssh-words.ts";
import { holderOf, type Pushers } from "../push/pushers.ts";
import type { Caller, FrontStore } from "../store/store.ts";
import type { Credentials } from "../accounts/credentials.ts";
import type { GitService } from "../repositories/node-git-server.ts";
import { openRepository, type Entrance } from "../repositories/open-repository.ts";
import type { Slots } from "../slots.ts";
import { withoutLfs } from "../http/route.ts";
import type { Sessions } from "./sessions.ts";

export interface SshWorld extends Entrance {
  credentials: Credentials;
  store: FrontStore;
  pushers: Pushers;
  slots: Slots;
  /** For commands: whoever follows a log has one for days, and keeps nobody from a push by it. */
  commandSlots: Slots;
  sessions: Sessions;
  limits: Limits;
  confine: (pid: number) => Promise<void>;
  layout: Layout;
  log: Logger;
}

export interface SshRequest {
  /** The fingerprint of the key that OpenSSH has let in. */
  key: string;
  /** hooks/ssh, whose place git takes. */
  pid: number;
  /** `SSH_ORIGINAL_COMMAND`: what the client asked for, to the letter. */
  command: string;
}

/** `git push` and `git fetch` write the path in single quotes; nothing else is let in. */
const gitCommand =
  /^git[- ](upload-pack|receive-pack) (?:'\/?([A-Za-z0-9._-]+?)(?:\.git)?\/?'|\/?([A-Za-z0-9._-]+?)(?:\.git)?\/?)$/;

/**
 * What hooks/ssh is to do: lines with `|` are said to the client; those with `+` are, one each, the words of
 * the environment and the command that takes its place. The last one is the verdict: without it, some may be lost.
 */
export async function answerSsh(world: SshWorld, request: SshRequest): Promise<string[]> {
  try {
    const words = await judgeSession(world, request);
    return [...words.map((word) => `+${word}`), "=yes"];
  } catch (error) {
    const told = asUserError(error);
    if (told.code === "INTERNAL")
      world.log.error({ err: error }, "a session over SSH failed by a mistake of reeve's");
    return [...describeError(told).map((line) => `|${line}`), "=no"];
  }
}

async function judgeSession(world: SshWorld, request: SshRequest): Promise<string[]> {
  const caller = world.credentials.byKey(request.key);
  if (!caller) throw new UserError("NOT_ALLOWED", "this key was taken back");

  const [, service, quoted, bare] = gitCommand.exec(request.command) ?? [];
  if (service !== undefined)
    return startGit(world, caller, {
      service: service as GitService,
      app: quoted ?? bare ?? "",
      pid: request.pid,
    });

  const [name = ""] = splitWords(request.command) ?? [];
  if (name === "help" || isCommandName(name)) {
    const { pid } = request;
    await takeSlot(world, world.commandSlots, { account: caller.account, pid });
    return startCommand(world, request, name);
  }
  throw refused(world, caller, request.command);
}

async function startGit(
  world: SshWorld,
  caller: Caller,
  { service, app, pid }: { service: GitService; app: string; pid: number },
): Promise<string[]> {
  if (!isAppName(app)) throw appNameError(app);
  const repository = await openRepository(world, caller, { app, service, isLook: false });
  const isPush = service === "receive-pack";
  const end = async (): Promise<void> => {
    if (isPush) await world.apps.leave(app);
  };
  try {
    await takeSlot(world, world.slots, { account: caller.account, pid }, () => {
      end().catch((error: unknown) => world.log.warn({ err: error, app }, "could not end a push"));
    });
  } catch (error) {
    await end();
    throw error;
  }
  // Whoever waited for the place is judged once more: git begins with what refs there are.
  world.rights.expect(caller, isPush ? "push" : "fetch", app);
  await world.confine(pid);
  if (isPush) world.pushers.started(pid, { caller, app });
  const { gitConfiguration, controlSocket } = world.layout;
  const hooks = join(programRoot, "hooks");
  return [
    ...assignments({
      ...gitEnvironment(gitConfiguration),
      ...shellLimits(world.limits),
      REEVE_CONTROL: controlSocket,
    }),
    ...(isPush ? [join(hooks, "receive"), app] : []),
    ...[join(hooks, "limited", `git-${service}`), repository],
  ];
}

/**
 * A place for as long as the process is there that hooks/ssh becomes. Whoever waited for it may be gone by now, and
 * sshd's process for the connection with it, which hooks/ssh is told nothing of.
 */
async function takeSlot(
  { sessions }: SshWorld,
  slots: Slots,
  { account, pid }: { account: string; pid: number },
  onEnd: () => void = () => undefined,
): Promise<void> {
  const connection = await parentOf(pid);
  const leave = await slots.take(account);
  try {
    if ((await parentOf(pid)) !== connection)
      throw new UserError("PUSH_GONE", "whoever asked has gone meanwhile");
    sessions.add(holderOf(pid), () => {
      leave();
      onEnd();
    });
  } catch (error) {
    leave();
    throw error;
  }
}

/**
 * The same program that runs on the server itself, on behalf of the key: every request it asks is judged.
 * It gets its words from hooks/ssh; what stands here besides is for whoever looks at `ps`.
 */
function startCommand({ layout }: SshWorld, { key }: SshRequest, name: string): string[] {
  const environment = { REEVE_HOME: layout.home, REEVE_KEY: key, REEVE_NO_SERVER_FILE: "1" };
  return [
    ...assignments(environment),
    process.execPath,
    join(programRoot, "dist", "main.js"),
    "over-ssh",
    name,
  ];
}

function assignments(environment: Record<string, string>): string[] {
  const all = { PATH: "/usr/local/bin:/usr/bin:/bin", LANG: "C.UTF-8", ...environment };
  return Object.entries(all).map(([name, value]) => `${name}=${value}`);
}

function refused({ store }: SshWorld, { account, via }: Caller, command: string): UserError {
  const shown = JSON.stringify(command.slice(0, 60));
  // What else was typed may be a secret: a variable behind a command that was misspelt.
  const [detail] = /^[a-z-]{1,20}(?= |$)/.exec(command) ?? ["(no command's name)"];
  store.audit.write({ account, via, action: "ssh", outcome: "refused", detail });
  if (detail.startsWith("git-lfs-")) {
    const { message, hint } = withoutLfs;
    return new UserError("SSH_REFUSED", message, { hint });
  }
  return new UserError(
    "SSH_REFUSED",
    command === ""
      ? `hello, ${account}: there is no shell here`
      : `${shown} is nothing that reeve answers over SSH`,
  );
}
