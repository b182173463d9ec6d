import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { programRoot } from "../../src/config/config.ts";
import { errorCodes } from "../../src/errors.ts";
import { cliPage, configurationPage } from "../support/documentation.ts";

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
});
