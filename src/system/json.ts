import type { z } from "zod";

/** What a column of JSON holds; undefined where that is of another shape: damaged, or another version's. */
export function fromJson<T>(shape: z.ZodType<T>, column: string): T | undefined {
  try {
    return shape.safeParse(JSON.parse(column)).data;
  } catch {
    return undefined;
  }
}
