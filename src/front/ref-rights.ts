import { absentCommit, shortCommit } from "../app/names.ts";
import type { HookWorld } from "../push/hooks.ts";
import type { FrontStore } from "../store/front-store.ts";
import type { Rights } from "./rights.ts";

/** What the rights say of each ref of a push, whatever the gate said when the push began; and what is written down of it. */
export function refRights(
  rights: Rights,
  store: FrontStore,
): Pick<HookWorld, "hasRight" | "judgeRight" | "recordPush"> {
  return {
    hasRight: ({ caller, app }, action) => rights.may(caller, action, app),
    judgeRight: ({ caller, app }, action) => rights.expect(caller, action, app),
    recordPush: ({ caller, app }, action, { update, refusal }) => {
      if (refusal && rights.hasWritten(refusal)) return;
      const { account, via } = caller;
      const { ref, newCommit } = update;
      const what = newCommit === absentCommit ? "deleted" : shortCommit(newCommit);
      const detail = refusal ? `${ref} not ${what}: ${refusal.code}` : `${ref} ${what}`;
      const outcome = refusal ? "refused" : "done";
      store.audit({ account, via, action, app, outcome, detail });
    },
  };
}
