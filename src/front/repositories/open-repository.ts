import { hasCode, UserError } from "../../errors.ts";
import type { Caller } from "../store/store.ts";
import type { AppMaker } from "./app-maker.ts";
import type { Repositories } from "./repositories.ts";
import type { Rights } from "../accounts/rights.ts";
import type { GitService } from "./node-git-server.ts";

export interface Entrance {
  rights: Rights;
  repositories: Repositories;
  apps: AppMaker;
  createOnPush: boolean;
}

export interface Wish {
  app: string;
  service: GitService;
  /** Only what refs there are is asked, so far. */
  isLook: boolean;
}

/**
 * The repository that git may work in, over HTTP as over SSH. A push makes it where it may, and says when it is over
 * (`AppMaker.leave`); a look or a fetch never does.
 */
export async function openRepository(
  entrance: Entrance,
  caller: Caller,
  { app, service, isLook }: Wish,
): Promise<string> {
  const isPush = service === "receive-pack";
  if (!isPush || isLook) return judge(entrance, caller, { app, service, isLook });
  await entrance.apps.enter(app);
  try {
    return await judge(entrance, caller, { app, service, isLook });
  } catch (error) {
    await entrance.apps.leave(app);
    throw error;
  }
}

async function judge(
  { rights, repositories, apps, createOnPush }: Entrance,
  caller: Caller,
  { app, service, isLook }: Wish,
): Promise<string> {
  const isPush = service === "receive-pack";
  const mayMake = isPush && createOnPush && rights.may(caller, "create", app);
  if (mayMake && !(await repositories.has(app))) {
    // git shows what is said here, and not what is answered to the push itself.
    apps.expectRoom(caller);
    if (isLook) return repositories.empty();
    // Somebody else may have made it meanwhile: then it is judged like any other.
    await apps.make(app, caller, true).catch(unlessThere);
  }
  rights.expect(caller, isPush ? "push" : "fetch", app);
  if (!(await repositories.has(app))) throw new UserError("APP_UNKNOWN", `there is no app ${app}`);
  return repositories.path(app);
}

function unlessThere(error: unknown): void {
  if (!hasCode(error, "APP_EXISTS")) throw error;
}
