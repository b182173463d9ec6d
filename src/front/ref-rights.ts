import type { HookWorld } from "../push/hooks.ts";
import { absentCommit, shortCommit } from "../app/names.ts";
import type { FrontStore } from "../store/front-store.ts";
import type { Rights } from "./rights.ts";

export function rightsOnly(rights: Rights): HookWorld["hasRight"] {
  return ({ caller, app }, action) => rights.may(caller, action, app);
}

/** Judges every ref of a push anew, whatever the gate said when the push began, and writes down which were let through. */
export function recordedJudge(rights: Rights, store: FrontStore): HookWorld["judgeRight"] {
  return ({ caller, app }, action, { ref, newCommit }) => {
    rights.expect(caller, action, app);
    const { account, via } = caller;
    const what = newCommit === absentCommit ? "deleted" : shortCommit(newCommit);
    store.audit({ account, via, action, app, outcome: "done", detail: `${ref} ${what}` });
  };
}
