#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { CommanderError } from "commander";
import { makeProgram } from "./program.ts";
import { readKey } from "./config/config.ts";
import { asUserError, describeError } from "./errors.ts";
import { inTodaysForm } from "./protocol/former-commands.ts";
import { splitWords } from "./protocol/ssh-words.ts";

// `reeve … | head` has read what it wanted.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const usage = 2;

const overSsh = readKey() !== undefined;
if (overSsh) endWithTheConnection();

try {
  const words = overSsh ? wordsOfTheClient() : process.argv.slice(2);
  const program = await makeProgram({ overSsh });
  await program.parseAsync(inTodaysForm(words), { from: "user" });
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : usage;
  else {
    const told = asUserError(error);
    if (!told.said) for (const line of describeError(told)) console.error(line);
    if (told.code === "INTERNAL" && process.env["REEVE_DEBUG"]) console.error(error);
    process.exitCode = told.exitCode;
  }
}

/** What somebody typed behind `ssh reeve@host`, as hooks/ssh hands it on. */
function wordsOfTheClient(): string[] {
  return splitWords(readFileSync(3, "utf8").replace(/\n$/, "")) ?? [];
}

/** sshd ends nothing when a client goes away: a log that is followed would be followed for ever. */
function endWithTheConnection(): void {
  const { ppid } = process;
  setInterval(() => {
    if (process.ppid !== ppid) process.exit(0);
  }, 1000).unref();
}
