import { z } from "zod";
import { appName } from "../names/names.ts";

export const app = z.object({ app: appName });
export const branch = z.string().min(1).max(500);
/** Of the app itself, where no preview's branch is named. */
export const instance = app.extend({ branch: branch.optional() });
export const preview = app.extend({ branch });
export const number = z.int().positive();
/** How many rows are wanted, and before which: `pagesOf` asks for them page by page. */
export const page = { limit: number.max(100_000), before: number.optional() };
/** What is meant among an app's releases: the start of a commit's id, or a deploy's number. */
export const release = z.string().max(100).optional();

/** How long each may be is the agent's to say, in words that help: `VARIABLE_INVALID`. A request has an end as it is. */
export const variablesChange = z.object({
  set: z.record(z.string(), z.string()),
  unset: z.array(z.string()),
});
