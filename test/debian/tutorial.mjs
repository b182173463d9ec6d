// tutorial.mjs FILE: does what the tutorial says, word for word, and sees that it tells the truth.
//
// All ```sh blocks run in order in one `sh -e`. A ```text block is what the ```sh block before it prints: its
// lines have to come, in their order, where times and ids of commits may differ and `…` stands for anything.
import { spawnSync } from "node:child_process";
import console from "node:console";
import { readFileSync } from "node:fs";
import process from "node:process";

const [file] = process.argv.slice(2);
const marker = "--- end of a block ---";

const text = readFileSync(file, "utf8");
const blocks = [...text.matchAll(/^```(sh|text)\n(.*?)^```$/gms)].map(([, kind, body]) => ({
  kind,
  body,
}));

const commands = blocks.filter(({ kind }) => kind === "sh");
const script = commands.map(({ body }) => `${body}printf '\\n%s\\n' '${marker}'\n`).join("");
const { status, stdout } = spawnSync("sh", ["-e", "-c", `exec 2>&1\n${script}`], {
  cwd: process.env.HOME,
  encoding: "utf8",
  timeout: 600_000,
});
console.log(stdout);
if (status !== 0) fail(`the commands ended with ${status}`);

const outputs = stdout.split(`\n${marker}\n`);
let command = -1;
for (const { kind, body } of blocks) {
  if (kind === "sh") command += 1;
  else expectLines(body, outputs[command] ?? "", commands[command]?.body ?? "");
}
console.log(
  `${commands.length} blocks of commands, ${blocks.length - commands.length} of what they print`,
);

function expectLines(expected, output, after) {
  const said = output.split("\n");
  for (const line of expected.split("\n").filter((each) => each.trim() !== "")) {
    const pattern = patternOf(line);
    while (said.length > 0 && !pattern.test(said[0])) said.shift();
    if (said.length === 0)
      fail(`this does not come:\n${line}\nafter:\n${after}which printed:\n${output}`);
    said.shift();
  }
}

/** What may differ from one run to the next: times and commits. */
function patternOf(line) {
  const pattern = line
    .trim()
    .replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")
    .replaceAll(/\b(?=[0-9a-f]*\d)[0-9a-f]{7,40}\b/g, "[0-9a-f]+")
    .replaceAll(
      /\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?/g,
      "\\d{4}-\\d\\d-\\d\\d[ T]\\d\\d:\\d\\d(:\\d\\d)?",
    )
    .replaceAll(/(?<!\d)\d+(\\\.\d+)?( ?m?s)\b/g, "[\\d.]+ ?m?s")
    .replaceAll("…", ".*")
    .replaceAll(/\s+/g, "\\s+");
  return new RegExp(`^\\s*${pattern}\\s*$`);
}

function fail(why) {
  console.log(why);
  process.exit(1);
}
