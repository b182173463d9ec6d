import { printable } from "../system/lines.ts";
import { shortCommit } from "./names.ts";

/** What a deploy is about, in one line: said to the pusher first, and put before its log. */
export function headline(deploy: {
  app: string;
  /** The branch, where it is not the app's own that is deployed. */
  preview?: string | undefined;
  newCommit: string;
  subject: string;
  account: string;
}): string {
  const { app, preview, newCommit, subject, account } = deploy;
  const what = preview === undefined ? app : `${app} ${printable(preview)}`;
  return `reeve: ${what} ${shortCommit(newCommit)} "${subject}" by ${account}`;
}
