import { Command, Option } from "commander";
import { z } from "zod";
import { withExamples } from "../examples.ts";
import { appArgument, branchFlag, jsonFlag } from "../flags.ts";
import { startTime, wholeNumber } from "../input.ts";
import { askServer } from "../ask.ts";
import { shortSize, shortTime } from "../table.ts";

interface Flags {
  branch?: string;
  follow: boolean;
  lines?: number;
  since?: string;
  requests?: boolean;
  json?: boolean;
  deploy?: number;
}

const standardLines = 100;
/** What `--since` asks for is not to be cut by a number of lines. */
const mostLines = 100_000;

export function makeCommand(): Command {
  const command = new Command("logs")
    .description(
      "Print the end of an app's own log, or of a preview's, or its requests, or everything that one deploy said.",
    )
    .addArgument(appArgument())
    .addOption(branchFlag())
    .option("-f, --follow", "go on with every new line", false)
    .option(
      "-n, --lines <number>",
      `how many (default: ${standardLines}; with --since all)`,
      wholeNumber,
    )
    .option(
      "--since <time>",
      "from 10m, 2h or 3d ago on, or from a time on. Lines of the app's own have none: it goes by uWSGI's lines " +
        "between them, and prints some too many rather than one too few",
      startTime,
    )
    .option("--requests", "the access log: a line for each request, by its end")
    .addOption(
      jsonFlag(": the access log as it is, a document of JSON a line").implies({ requests: true }),
    )
    .addOption(
      new Option("--deploy <number>", "what this deploy said, from beginning to end")
        .argParser(wholeNumber)
        .conflicts(["branch", "follow", "since", "requests", "json"]),
    )
    .action(async (app: string, { deploy, json, lines, ...flags }: Flags) => {
      if (deploy !== undefined) {
        process.stdout.write(await askServer("deployLog", { app, number: deploy }));
        return;
      }
      const most = lines ?? (flags.since === undefined ? standardLines : mostLines);
      const isForPeople = flags.requests === true && json !== true;
      await askServer("logs", { app, ...flags, lines: most }, (line) =>
        console.log(isForPeople ? readableRequest(line) : line),
      );
    });
  return withExamples(
    command,
    "reeve logs demo",
    "reeve logs demo -f -n 20",
    "reeve logs demo --since 10m",
    "reeve logs demo --requests --since 2026-11-30T20:00 --json",
    "reeve logs demo -b feature/new-cart",
    "reeve logs demo --deploy 12",
  );
}

const request = z.object({
  time: z.string(),
  id: z.string(),
  method: z.string(),
  path: z.string(),
  status: z.number().nullable(),
  seconds: z.number(),
  bytes_sent: z.number(),
  release: z.string(),
});

/** `2026-11-30 14:50:02  200  0.012 s  1.8 KiB  GET /cart  5d0f…`; what is no line of nginx's, as it is. */
export function readableRequest(line: string): string {
  const parsed = parse(line);
  if (!parsed) return line;
  const { time, id, method, path, status, seconds, bytes_sent: sent, release } = parsed;
  const at = `${shortTime(time) ?? time}:${time.slice(17, 19)}`;
  const took = `${seconds.toFixed(3)} s`.padStart(9);
  const size = shortSize(sent).padStart(8);
  const parts = [
    at,
    String(status ?? "-").padStart(3),
    took,
    size,
    `${method} ${path}`,
    id,
    release,
  ];
  return parts.filter((part) => part !== "").join("  ");
}

function parse(line: string): z.infer<typeof request> | undefined {
  try {
    return request.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
