import type { z } from "zod";

/** What can be asked over a socket: its fields, which whoever answers checks once more, and the type of its answer. */
export interface Asking<Input extends z.ZodType = z.ZodType, Answer = unknown> {
  input: Input;
  /** A type alone: nothing is ever here. */
  answer?: Answer;
}

export function asks<Input extends z.ZodType>(
  input: Input,
): { answers: <Answer>() => Asking<Input, Answer> } {
  return { answers: () => ({ input }) };
}

export type RequestOf<A> = A extends Asking<infer Input> ? z.infer<Input> : never;
export type ResponseOf<A> = A extends Asking<z.ZodType, infer Answer> ? Answer : never;
