import { readdirSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { kindOf } from "../../../src/host/files.ts";
import { asideOf, holdAside, leadBack, leadTo } from "../../../src/vassal/socket-link.ts";
import { temporaryFolder } from "../../support/unit-folder.ts";

/** Binds the path as uWSGI does, whatever is there, and tells everybody who it is. */
async function bind(path: string, name: string): Promise<void> {
  rmSync(path, { force: true });
  const server = createServer((connection) => connection.end(name));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => void server.close());
}

/** Who answers at the path, found anew for this connection as nginx does. */
function whoAnswers(path: string): Promise<string> {
  return text(connect(path));
}

async function demo() {
  const folder = temporaryFolder();
  const socket = join(folder, "demo.sock");
  const understudies = [
    join(folder, "demo.next-1.sock"),
    join(folder, "demo.next-2.sock"),
  ] as const;
  await bind(socket, "vassal");
  await bind(understudies[0], "first understudy");
  await bind(understudies[1], "second understudy");
  return { folder, socket, understudies };
}

describe("where an instance's traffic goes", () => {
  it("leads to the understudy and back to the vassal, deploy after deploy", async () => {
    const { socket, understudies } = await demo();
    const answers = [await whoAnswers(socket)];

    for (const understudy of understudies) {
      await leadTo(socket, understudy);
      answers.push(await whoAnswers(socket));
      await leadBack(socket);
      answers.push(await whoAnswers(socket));
    }

    expect(answers).toEqual([
      "vassal",
      "first understudy",
      "vassal",
      "second understudy",
      "vassal",
    ]);
  });

  it("leads from one understudy to the next, when a deploy comes before the last one has settled", async () => {
    const { socket, understudies } = await demo();

    await leadTo(socket, understudies[0]);
    await leadTo(socket, understudies[1]);

    expect(await whoAnswers(socket)).toBe("second understudy");
    await leadBack(socket);
    expect(await whoAnswers(socket)).toBe("vassal");
  });

  it("can be asked aside of the vassal itself, while the understudy has the path", async () => {
    const { socket, understudies } = await demo();

    await leadTo(socket, understudies[0]);

    expect(await whoAnswers(asideOf(socket))).toBe("vassal");
    expect(await kindOf(socket)).toBe("link");
  });

  it("leads to the understudy again after a vassal that started meanwhile took the path", async () => {
    const { socket, understudies } = await demo();
    await leadTo(socket, understudies[0]);
    await bind(socket, "vassal, started anew");
    expect(await whoAnswers(socket)).toBe("vassal, started anew");

    await leadTo(socket, understudies[0]);

    expect(await whoAnswers(socket)).toBe("first understudy");
    expect(await whoAnswers(asideOf(socket))).toBe("vassal, started anew");
    await leadBack(socket);
    expect(await whoAnswers(socket)).toBe("vassal, started anew");
  });

  it("is the understudy's on a first deploy, when there is no vassal yet", async () => {
    const folder = temporaryFolder();
    const socket = join(folder, "demo.sock");
    const understudy = join(folder, "demo.next-1.sock");
    await bind(understudy, "first understudy");

    await leadTo(socket, understudy);
    expect(await whoAnswers(socket)).toBe("first understudy");
    await bind(socket, "vassal");
    await holdAside(socket);
    await leadTo(socket, understudy);
    await leadBack(socket);

    expect(await whoAnswers(socket)).toBe("vassal");
  });

  it("stays where it is when it is led back a second time", async () => {
    const { folder, socket, understudies } = await demo();
    await leadTo(socket, understudies[0]);
    await leadBack(socket);
    const before = readdirSync(folder).sort();

    await leadBack(socket);

    expect(await whoAnswers(socket)).toBe("vassal");
    expect(readdirSync(folder).sort()).toEqual(before);
    expect(before).toEqual(["demo.next-1.sock", "demo.next-2.sock", "demo.sock"]);
  });

  it("is never nowhere: who asks all the while is always answered", async () => {
    const { socket, understudies } = await demo();
    const rounds = { left: 20 };
    const asked = (async () => {
      const answers: string[] = [];
      while (rounds.left > 0) answers.push(await whoAnswers(socket));
      return answers;
    })();

    for (let round = 0; rounds.left > 0; round += 1, rounds.left -= 1) {
      await leadTo(socket, understudies[round % 2 === 0 ? 0 : 1]);
      if (round % 3 === 0) await leadBack(socket);
    }

    expect((await asked).filter((answer) => answer === "")).toEqual([]);
  });
});
