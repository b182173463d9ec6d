import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { projectRoot } from "./server.ts";
import { temporaryFolder } from "./unit-folder.ts";

/** logrotate with the file that reeve installs, for another folder than its own. */
export class Logrotate {
  readonly #words: string[];

  /** `kept`: how many of each log, in place of as many as it says. */
  constructor(home: string, kept?: number, folder = temporaryFolder()) {
    const text = readFileSync(join(projectRoot, "deploy/reeve.logrotate"), "utf8");
    const own = text.replaceAll("/var/lib/reeve", home);
    const configuration = join(folder, "reeve.logrotate");
    writeFileSync(
      configuration,
      kept === undefined ? own : own.replaceAll("rotate 14", `rotate ${kept}`),
      { mode: 0o644 },
    );
    this.#words = ["--state", join(folder, "state"), configuration];
  }

  /** All that there is, whatever the day. Throws where logrotate complains. */
  async rotate(): Promise<void> {
    await execa("logrotate", ["--force", ...this.#words]);
  }
}
