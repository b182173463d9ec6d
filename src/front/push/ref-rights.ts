import { absentCommit, shortCommit } from "../../names/names.ts";
import type { HookWorld } from "./hook-world.ts";
import type { FrontStore } from "../store/store.ts";
import type { Rights } from "../accounts/rights.ts";

/** What whoever may fetch is shown, which is all but the hidden refs. */
const shownRefs = ["--exclude-hidden=receive", "--all"];
/** The kept releases (src/agent/release/release-commands.ts), of the app and of its previews. */
const releases = "--glob=refs/reeve/releases/*";
const previewsReleases = "--glob=refs/reeve/releases/*--*";

/** What the rights say of each ref of a push, whatever the gate said when the push began; and what is written down of it. */
export function refRights(
  rights: Rights,
  store: FrontStore,
): Pick<HookWorld, "hasRight" | "judgeRight" | "readableTo" | "recordPush"> {
  return {
    readableTo: ({ caller, app }) => [
      ...shownRefs,
      ...(rights.may(caller, "rollback", app) ? [releases] : []),
      ...(rights.may(caller, "rollbackPreview", app) ? [previewsReleases] : []),
    ],
    hasRight: ({ caller, app }, action) => rights.may(caller, action, app),
    judgeRight: ({ caller, app }, action) => rights.expect(caller, action, app),
    recordPush: ({ caller, app }, action, { update, refusal }) => {
      if (refusal && rights.hasWritten(refusal)) return;
      const { account, via } = caller;
      const { ref, newCommit } = update;
      const what = newCommit === absentCommit ? "deleted" : shortCommit(newCommit);
      const detail = refusal ? `${ref} not ${what}: ${refusal.code}` : `${ref} ${what}`;
      const outcome = refusal ? "refused" : "done";
      store.audit.write({ account, via, action, app, outcome, detail });
    },
  };
}
