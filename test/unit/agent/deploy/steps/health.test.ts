import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { push, servingWorld, type ServingWorld } from "../../../../support/unit-serving.ts";

/** A world whose next app says this in its log while it comes up, and then answers so. */
async function saying(
  words: string,
  answer: ReturnType<ServingWorld["emperor"]["app"]>,
  options = "",
): Promise<ServingWorld> {
  const made = await servingWorld(options);
  made.emperor.app = () => {
    appendFileSync(join(made.layout.appLogs, "demo.next-1.log"), words);
    return answer;
  };
  return made;
}

const steps = ({ said }: ServingWorld) =>
  said.flatMap((line) => /^ {2}(boot|health) +(\S+)/.exec(line)?.slice(1).join(" ") ?? []);

describe("an app that is not well", () => {
  it("is quoted in its own words", async () => {
    const traceback =
      'Traceback (most recent call last):\n  File "app.py", line 1\nValueError: no\n';
    const made = await saying(`hello\n${traceback}`, 500);

    await expect(push(made)).rejects.toMatchObject({
      code: "APP_UNHEALTHY",
      message: `GET / answered 500\n${traceback.trimEnd()}`,
      hint: expect.stringContaining("Mend what the app's own words above say") as string,
    });
  });

  it("has said nothing where it has not, and uWSGI's words are none of its own", async () => {
    const made = await saying("reeve: started\n", 500);

    await expect(push(made)).rejects.toMatchObject({
      message: "GET / answered 500\n(it wrote nothing about that to its log)",
    });
  });
});

describe("an app that does not answer in time", () => {
  it("has not booted where it never said that it is imported", async () => {
    const made = await saying("", 503, "health_deadline = 1");

    await expect(push(made)).rejects.toThrow("no answer within 1 s");

    expect(steps(made)).toEqual(["boot failed"]);
  });

  it("has booted, and is not well, where it has said that", async () => {
    const made = await saying("reeve: started\n", 503, "health_deadline = 1");

    await expect(push(made)).rejects.toThrow("no answer within 1 s");

    expect(steps(made)).toEqual(["boot started", "health failed"]);
  });

  it("has booted as well where it died after it had said that", async () => {
    const made = await saying("reeve: started\n", "dies");

    await expect(push(made)).rejects.toThrow("the app did not start");

    expect(steps(made)).toEqual(["boot started", "health failed"]);
  });
});
