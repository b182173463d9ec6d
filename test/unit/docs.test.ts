import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { programRoot } from "../../src/config/config.ts";
import { errorCodes } from "../../src/errors.ts";
import { cliPage, configurationPage } from "../support/documentation.ts";
import { hasLines, readTranscript, transcriptNames } from "../support/transcripts.ts";

describe("the documentation", () => {
  it("describes every option of the server and of an app as it is", async () => {
    await expect(configurationPage()).toMatchFileSnapshot("../../docs/configuration.md");
  });

  it("holds the help of every command, word for word", async () => {
    await expect(await cliPage()).toMatchFileSnapshot("../../docs/cli.md");
  });

  it("has one section for each error that there is, and for no other", async () => {
    const page = await readFile(join(programRoot, "docs", "errors.md"), "utf8");

    const sections = [...page.matchAll(/^## (.*)$/gm)].map(([, title]) => title);

    expect(sections.toSorted()).toEqual(errorCodes.toSorted());
  });

  it.each(["README.md", "docs/tutorial.md", "docs/deploys.md"])(
    "shows of each push and deploy, in %s, lines of a transcript",
    async (page) => {
      const transcripts = transcriptNames().map(readTranscript);
      const samples = samplesOf(await readFile(join(programRoot, page), "utf8"));

      const untrue = samples.filter(
        (sample) => !transcripts.some((each) => hasLines(each, sample)),
      );

      expect(samples).not.toEqual([]);
      expect(untrue).toEqual([]);
    },
  );
});

/** The blocks in which reeve says how a deploy goes. */
function samplesOf(page: string): string[] {
  return (
    [...page.matchAll(/^```console\n(.*?)^```$/gms)]
      .map(([, sample = ""]) => sample)
      .filter((sample) => /^(remote:|reeve: \S+ [0-9a-f]{7} )/m.test(sample))
      // Django's packages take longer than all transcripts together.
      .filter((sample) => !sample.includes("reeve: guestbook "))
  );
}
