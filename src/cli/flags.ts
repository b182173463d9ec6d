import { Argument, Option } from "commander";
import { expectAccountName, expectAppName } from "../names/names.ts";
import { wholeNumber } from "./input.ts";

/** The app that a command is about. */
export function appArgument(): Argument {
  return new Argument("<app>", "its name").argParser(expectAppName);
}

/** Of what can be about one preview of the app as well. */
export function branchFlag(): Option {
  return new Option("-b, --branch <branch>", "the preview of this branch, and not the app itself");
}

/** Of a list of what belongs to accounts. A word behind the noun would be a verb. */
export function accountFlag(): Option {
  return new Option("--account <account>", "those of this one alone").argParser(expectAccountName);
}

/** Of a list that goes back further than anybody wants to read. */
export function linesFlag(standard: number): Option {
  return new Option("-n, --lines <number>", "how many").argParser(wholeNumber).default(standard);
}

/** Of what can be printed as one document of JSON, which may say more than the table does. */
export function jsonFlag(more = ""): Option {
  return new Option("--json", `for programs${more}`);
}
