import { readdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

/** A package index (PEP 503) with these wheels, for who knows the password. */
export class PackageIndex {
  readonly #server: Server;
  /** How many questions it answered. */
  answered = 0;

  private constructor(folder: string, password: string) {
    const wheels = readdirSync(folder);
    this.#server = createServer((request, response) => {
      const right = `Basic ${Buffer.from(`reader:${password}`).toString("base64")}`;
      const [, , name = "", file = ""] = (request.url ?? "").split("/");
      if (request.headers.authorization !== right) {
        response.writeHead(401, { "www-authenticate": "Basic" }).end();
        return;
      }
      this.answered += 1;
      if (file !== "") {
        response.end(wheels.includes(file) ? readFileSync(join(folder, file)) : "");
        return;
      }
      const links = wheels.filter((wheel) => wheel.startsWith(`${name}-`));
      response.setHeader("content-type", "text/html");
      response.end(links.map((wheel) => `<a href="${wheel}">${wheel}</a>\n`).join(""));
    });
  }

  static async start(folder: string, password: string): Promise<PackageIndex> {
    const index = new PackageIndex(folder, password);
    await new Promise<void>((resolve) => index.#server.listen(0, "127.0.0.1", resolve));
    return index;
  }

  address(password: string): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://reader:${password}@127.0.0.1:${port}/simple`;
  }

  stop(): void {
    this.#server.close();
  }
}
