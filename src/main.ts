#!/usr/bin/env node
import { CommanderError } from "commander";
import { makeProgram } from "./cli/program.ts";
import { asUserError, describeError } from "./errors.ts";

// `reeve … | head` has read what it wanted.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const usage = 2;

try {
  await makeProgram().parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : usage;
  else {
    const told = asUserError(error);
    if (!told.said) for (const line of describeError(told)) console.error(line);
    if (told.code === "INTERNAL" && process.env["REEVE_DEBUG"]) console.error(error);
    process.exitCode = told.exitCode;
  }
}
