import { createServer, type Server } from "node:net";

// Below what the kernel hands out by itself (ip_local_port_range starts at 32768): a port from there may become
// some connection's own between its choice and its use, or while a server is down to be started again.
const blocks: Blocks = { first: 10_000, last: 32_000 };
/** As wide as the port that reeve takes of itself, so that the columns behind it stand where they do there. */
const shortBlocks: Blocks = { first: 8_100, last: 9_950 };
const blockSize = 50;

interface Blocks {
  first: number;
  last: number;
}

let next = 0;
let end = 0;

/** A port of loopback at which nobody listens, and which no other process of tests is given. */
export async function freePort(): Promise<number> {
  for (;;) {
    if (next === end) {
      next = (await claimBlock(blocks)) + 1;
      end = next + blockSize - 1;
    }
    const port = next++;
    if (await isFree(port)) return port;
  }
}

/** The same of four digits, for one that is printed. */
export async function freeShortPort(): Promise<number> {
  const first = await claimBlock(shortBlocks);
  for (let port = first + 1; port < first + blockSize; port++) if (await isFree(port)) return port;
  throw new Error(`every port from ${first} on is taken`);
}

/** Whoever listens at a block's first port owns the block, until the process ends. */
async function claimBlock({ first, last }: Blocks): Promise<number> {
  for (let block = first; block < last; block += blockSize) {
    const claim = await tryListen(block);
    if (!claim) continue;
    claim.unref();
    return block;
  }
  throw new Error("every block of ports is taken");
}

async function isFree(port: number): Promise<boolean> {
  const probe = await tryListen(port);
  if (!probe) return false;
  await new Promise((resolve) => probe.close(resolve));
  return true;
}

function tryListen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}
