import { createServer, type Server } from "node:net";

// Below what the kernel hands out by itself (ip_local_port_range starts at 32768): a port from there may become
// some connection's own between its choice and its use, or while a server is down to be started again.
const firstBlock = 10_000;
const lastBlock = 32_000;
const blockSize = 50;

let next = 0;
let end = 0;

/** A port of loopback at which nobody listens, and which no other process of tests is given. */
export async function freePort(): Promise<number> {
  for (;;) {
    if (next === end) await claimBlock();
    const port = next++;
    const probe = await tryListen(port);
    if (!probe) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}

/** Whoever listens at a block's first port owns the block, until the process ends. */
async function claimBlock(): Promise<void> {
  for (let first = firstBlock; first < lastBlock; first += blockSize) {
    const claim = await tryListen(first);
    if (!claim) continue;
    claim.unref();
    next = first + 1;
    end = first + blockSize;
    return;
  }
  throw new Error("every block of ports is taken");
}

function tryListen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}
