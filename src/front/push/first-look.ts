import type { Readable } from "node:stream";
import { asUserError, describeError, UserError } from "../../errors.ts";
import { policyOf, type HookWorld } from "./hook-world.ts";
import type { BranchPolicy } from "../../protocol/agent-verbs.ts";
import { expectFewRefs, judgeRef, refAction, type RefUpdate } from "./policy.ts";
import type { Pusher, Running } from "./pushers.ts";

/** Bytes of what comes before a pack: enough for the most refs that a push may move, with the longest names. */
const longestHead = 1024 * 1024;

/** Reads as much of what comes as is needed, and leaves the rest to whoever reads on. */
export function readHead(body: Readable): Promise<Head> {
  const reader = new HeadReader();
  return new Promise((resolve) => {
    const finish = (): void => {
      body.off("readable", read).off("end", finish).off("close", finish);
      resolve(reader.end());
    };
    const read = (): void => {
      let chunk = body.read() as Buffer | null;
      while (chunk !== null && !reader.add(chunk)) chunk = body.read() as Buffer | null;
      if (chunk !== null) finish();
    };
    body.on("readable", read).on("end", finish).on("close", finish);
  });
}

/** What a push begins with: the refs that it is to move, and what its client understands. */
export interface Head {
  /**
   * What git is to read of it; the start of what follows may be among it. Where a shallow clone ends is left out: git
   * would make the repository end there as well, or refuse the push. Without it git looks, as with any other push,
   * for all that comes before what was pushed.
   */
  bytes: Buffer;
  /** Whether it comes from a shallow clone. */
  isShallow: boolean;
  /** None where git will find by itself, before it reads any further, that this is no push. */
  updates: RefUpdate[];
  capabilities: string[];
  /** Why it is not to be given to git, whatever it moves. */
  problem: UserError | undefined;
}

/**
 * Reads the head of a push from what comes, as git does (gitprotocol-pack(5); builtin/receive-pack.c,
 * read_head_info): packet lines up to one without a text. What git does not take ends it as well.
 */
class HeadReader {
  readonly #kept: Buffer[] = [];
  readonly #lines: string[] = [];
  #length = 0;
  #isShallow = false;
  /** From the first line on that is not there as a whole, and how much of it has to be there before it is looked at. */
  #rest: Buffer[] = [];
  #restLength = 0;
  #needed = 4;
  #isOver = false;
  #isMalformed = false;

  /** Whether the head is over. */
  add(chunk: Buffer): boolean {
    this.#length += chunk.length;
    this.#rest.push(chunk);
    this.#restLength += chunk.length;
    if (!this.#isOver && this.#restLength >= this.#needed) this.#read(Buffer.concat(this.#rest));
    return this.#isOver || this.#length > longestHead;
  }

  end(): Head {
    const isTooLong = !this.#isOver && this.#length > longestHead;
    const isWhole = (this.#isOver && !this.#isMalformed) || isTooLong;
    const { updates, capabilities, isSigned } = parseLines(isWhole ? this.#lines : []);
    return {
      bytes: Buffer.concat([...this.#kept, ...this.#rest]),
      isShallow: this.#isShallow,
      updates,
      capabilities,
      problem: problemOf(isTooLong, isSigned),
    };
  }

  #read(bytes: Buffer): void {
    let at = 0;
    while (!this.#isOver && bytes.length >= at + this.#needed) {
      const size = sizeAt(bytes, at);
      this.#needed = Math.max(size, 4);
      if (Number.isNaN(size) || size === 3) this.#isOver = this.#isMalformed = true;
      else if (size < 4) this.#isOver = true;
      else if (bytes.length >= at + size) {
        this.#keep(bytes.subarray(at, at + size));
        at += size;
        this.#needed = 4;
      }
    }
    this.#rest = [bytes.subarray(at)];
    this.#restLength = bytes.length - at;
  }

  #keep(packet: Buffer): void {
    const text = packet.toString("utf8", 4);
    if (text.startsWith("shallow ")) this.#isShallow = true;
    else {
      this.#kept.push(packet);
      this.#lines.push(text);
    }
  }
}

function problemOf(isTooLong: boolean, isSigned: boolean): UserError | undefined {
  if (isTooLong)
    return new UserError("REF_REFUSED", "this push names more refs than fit into 1 MiB");
  if (isSigned)
    return new UserError("REF_REFUSED", "this push is signed, and reeve reads no signatures", {
      hint: "Push without --signed.",
    });
  return undefined;
}

/** 0 to 2 stand for the end of a list and the like, 3 for nothing; NaN: no length at all. */
function sizeAt(bytes: Buffer, at: number): number {
  const digits = bytes.toString("latin1", at, at + 4);
  return /^[0-9a-f]{4}$/i.test(digits) ? Number.parseInt(digits, 16) : NaN;
}

const command = /^([0-9a-f]{40}) ([0-9a-f]{40}) (.+)$/is;

function parseLines(
  lines: string[],
): Pick<Head, "updates" | "capabilities"> & { isSigned: boolean } {
  const updates: RefUpdate[] = [];
  let capabilities: string[] = [];
  for (const line of lines) {
    const [text = "", more = ""] = line.replace(/\n$/, "").split("\0", 2);
    if (text === "push-cert") return { updates: [], capabilities: more.split(" "), isSigned: true };
    const [, oldCommit, newCommit, ref] = command.exec(text) ?? [];
    if (oldCommit === undefined || newCommit === undefined || ref === undefined)
      return { updates: [], capabilities, isSigned: false };
    if (updates.length === 0) capabilities = more.split(" ");
    updates.push({
      ref,
      oldCommit: oldCommit.toLowerCase(),
      newCommit: newCommit.toLowerCase(),
    });
  }
  return { updates, capabilities, isSigned: false };
}

/**
 * Looks at a push before git has any of it: unpacking may take a thousand times what comes on the wire, and a pack
 * of which no ref may move is unpacked for nothing. Resolves to what is to be said in git's place, or to nothing where git goes
 * on; its hooks judge each ref then, as they always do.
 */
export async function firstLook(
  world: HookWorld,
  pusher: Pusher & Pick<Running, "policy" | "isShallow">,
  head: Head,
): Promise<Buffer | undefined> {
  const { updates, problem } = head;
  // What git then misses is said in other words.
  pusher.isShallow = head.isShallow;
  try {
    if (problem) throw problem;
    if (updates.length === 0) return undefined;
    // Where the agent cannot say it, git's hooks ask again, and refuse what then still cannot be judged.
    const policy = await policyOf(world, pusher).catch(() => undefined);
    if (!policy) return undefined;
    expectFewRefs(updates);
    if (updates.some((update) => isWelcome(world, pusher, policy, update))) return undefined;
    return report(
      head,
      updates.map((update) => refusalOf(world, pusher, policy, update)),
    );
  } catch (error) {
    const told = asUserError(error);
    if (told.code === "INTERNAL")
      world.log.error(
        { err: error, app: pusher.app },
        "a push was not judged by a mistake of reeve's",
      );
    return report(head, [told]);
  }
}

function isWelcome(
  world: HookWorld,
  pusher: Pusher,
  policy: BranchPolicy,
  update: RefUpdate,
): boolean {
  if (!world.hasRight(pusher, refAction(policy.productionBranch, update.ref))) return false;
  try {
    judgeRef(pusher.app, policy, update);
    return true;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}

/** In the words, and with the records, of the hook that would have refused it. */
function refusalOf(
  world: HookWorld,
  pusher: Pusher,
  policy: BranchPolicy,
  update: RefUpdate,
): UserError {
  const action = refAction(policy.productionBranch, update.ref);
  try {
    world.judgeRight(pusher, action, update);
    judgeRef(pusher.app, policy, update);
  } catch (error) {
    const refusal = asUserError(error);
    world.recordPush(pusher, action, { update, refusal });
    return refusal;
  }
  // Somebody gave the right in this moment.
  return new UserError("REF_MOVED", `rights to ${update.ref} have just changed`, {
    hint: "Push again.",
  });
}

/** Bytes of a packet line beside its length and the number of its band (gitprotocol-common(5), LARGE_PACKET_MAX). */
const longestText = 65_515;

/** What git's client reads after a push: words for the pusher, and what became of each ref (gitprotocol-pack(5)). */
function report({ updates, capabilities }: Head, refusals: UserError[]): Buffer {
  const results = updates.map(
    ({ ref }, at) => `ng ${ref} ${(refusals[at] ?? refusals[0])?.code ?? ""}\n`,
  );
  const isReported = capabilities.some((one) => /^report-status(-v2)?$/.test(one));
  const status = isReported
    ? Buffer.concat([...["unpack ok\n", ...results].map((line) => packet(line)), flush])
    : Buffer.alloc(0);
  if (!capabilities.includes("side-band-64k")) return status;
  const words = refusals.flatMap(describeError).map((line) => packet(`\x02${line}\n`));
  const pieces = [];
  for (let at = 0; at < status.length; at += longestText)
    pieces.push(packet(Buffer.concat([Buffer.of(1), status.subarray(at, at + longestText)])));
  return Buffer.concat([...words, ...pieces, flush]);
}

const flush = Buffer.from("0000");

function packet(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text).subarray(0, longestText + 1);
  return Buffer.concat([Buffer.from((4 + bytes.length).toString(16).padStart(4, "0")), bytes]);
}
