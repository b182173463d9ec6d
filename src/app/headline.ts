import { shortCommit } from "./names.ts";

/** What a deploy is about, in one line: said to the pusher first, and put before its log. */
export function headline(deploy: {
  app: string;
  newCommit: string;
  subject: string;
  account: string;
}): string {
  const { app, newCommit, subject, account } = deploy;
  return `reeve: ${app} ${shortCommit(newCommit)} "${subject}" by ${account}`;
}
