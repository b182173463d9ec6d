import { parse, TomlError } from "smol-toml";
import { z } from "zod";
import { UserError, type ErrorCode } from "../errors.ts";

type Scalar = string | number | boolean;

export interface Option<T extends Scalar = Scalar> {
  schema: z.ZodType<T>;
  default: T;
  /** What it does, for the file, the help and the documentation. */
  sentence: string;
  /** A name that it had: whoever still writes that one is told of the new one. */
  formerly?: string;
  /** Its value is for nobody else's eyes: no argument, no log and no error holds it. */
  secret?: true;
  /** Nobody is offered it: no file has it, and no page. Its variable does. */
  forTests?: true;
}

/** One table is example, schema and manual: the file, the checks and docs/configuration.md come from it. */
export type OptionTable = Record<string, Option>;
export type OptionValues<T extends OptionTable> = {
  readonly [K in keyof T]: z.infer<T[K]["schema"]>;
};

interface Words {
  text: string;
  from: string;
}

interface Source {
  path: string;
  text: string;
  code: Extract<ErrorCode, "CONFIG_INVALID" | "OPTION_INVALID">;
  /** Words from elsewhere that win over the file, by the option's name, with where they came from. */
  overrides?: Record<string, Words>;
  /** The same, but the file wins over them. */
  defaults?: Record<string, Words>;
}

export function wholeNumber(least: number, most: number): z.ZodType<number> {
  const words = `is not a whole number from ${least} to ${most}`;
  return z.int(words).min(least, words).max(most, words);
}

/** All values, or one error that names every problem with its place. */
export function readOptions<T extends OptionTable>(table: T, source: Source): OptionValues<T> {
  const problems: string[] = [];
  const file = parseFile(source, problems);
  const known = offered(table);
  for (const name of Object.keys(file)) {
    if (Object.hasOwn(known, name)) continue;
    const now = renamed(table, name);
    problems.push(
      `${source.path}: ${name}: ${now ? `is called ${now} now` : "there is no such option"}`,
    );
  }

  const values = Object.entries(table).map(([name, option]) => {
    const override =
      source.overrides?.[name] ?? (name in file ? undefined : source.defaults?.[name]);
    const given = override?.text ?? file[name] ?? option.default;
    const where = override?.from ?? `${source.path}: ${name}`;
    const value = override ? fromText(option, override.text) : checked(option, given);
    if (!value.success) problems.push(`${where}: ${shown(option, given)} ${value.problem}`);
    return [name, value.success ? value.value : option.default] as const;
  });

  if (problems.length > 0) throw new UserError(source.code, problems.join("\n"));
  return Object.freeze(Object.fromEntries(values)) as OptionValues<T>;
}

/** What there is to choose. */
export function offered(table: OptionTable): OptionTable {
  return Object.fromEntries(Object.entries(table).filter(([, { forTests }]) => !forTests));
}

/** The file as it is first written: every option with its sentence, switched off at its default. */
export function starterFile(table: OptionTable, heading: string): string {
  const entries = Object.entries(offered(table)).map(
    ([name, option]) => `# ${option.sentence}\n# ${name} = ${JSON.stringify(option.default)}\n`,
  );
  return `# ${heading}\n\n${entries.join("\n")}`;
}

/** The same file with one option changed, everything else to the letter as somebody left it; a line with its former name is its. */
export function withOption(table: OptionTable, text: string, name: string, given: string): string {
  const option = Object.hasOwn(table, name) ? table[name] : undefined;
  if (!option) {
    const now = renamed(table, name);
    const problem = `there is no option ${JSON.stringify(name)}`;
    throw new UserError("OPTION_INVALID", now ? `${problem}: it is called ${now} now` : problem);
  }
  const value = fromText(option, given);
  if (!value.success) {
    throw new UserError("OPTION_INVALID", `${name}: ${shown(option, given)} ${value.problem}`);
  }

  const line = `${name} = ${JSON.stringify(value.value)}`;
  const lines = text.split("\n");
  const names = option.formerly === undefined ? [name] : [name, option.formerly];
  const at = [/^[ \t]*(\w+)[ \t]*=/, /^#[ \t]*(\w+)[ \t]*=/]
    .flatMap((assignment) =>
      names.map((each) => lines.findIndex((words) => assignment.exec(words)?.[1] === each)),
    )
    .find((line) => line >= 0);
  if (at !== undefined)
    return lines.with(at, `${line}${lines[at]?.endsWith("\r") ? "\r" : ""}`).join("\n");
  return `${text}${text.endsWith("\n") || text === "" ? "" : "\n"}${line}\n`;
}

/** The name by now of an option that had this one. */
function renamed(table: OptionTable, former: string): string | undefined {
  return Object.entries(table).find(([, { formerly }]) => formerly === former)?.[0];
}

function parseFile(source: Source, problems: string[]): Record<string, unknown> {
  try {
    return parse(source.text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    problems.push(`${source.path}:${error.line}: ${error.message.split("\n")[0] ?? ""}`);
    return {};
  }
}

function shown(option: Option, given: unknown): string {
  return option.secret ? "the value" : JSON.stringify(given);
}

type Checked = { success: true; value: Scalar } | { success: false; problem: string };

function checked(option: Option, given: unknown): Checked {
  const result = option.schema.safeParse(given);
  if (result.success) return { success: true, value: result.data };
  return { success: false, problem: result.error.issues[0]?.message ?? "is not valid" };
}

/** Words from a command line or the environment have no type: the schema says which one fits. */
function fromText(option: Option, text: string): Checked {
  const readings: unknown[] = [text];
  if (/^-?\d+$/.test(text)) readings.unshift(Number(text));
  if (text === "true" || text === "false") readings.unshift(text === "true");
  const results = readings.map((reading) => checked(option, reading));
  return results.find((result) => result.success) ?? (results[0] as Checked);
}
