import { absentCommit } from "../app/names.ts";
import { readRef } from "../host/git.ts";
import { gitOf, type DeployContext } from "./context.ts";

/** Where a ref of the app stands; the absent commit where there is none. */
export async function currentCommit(
  context: DeployContext,
  app: string,
  ref: string,
): Promise<string> {
  return (await readRef(context.host, gitOf(context, app), ref)) ?? absentCommit;
}
