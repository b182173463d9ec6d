import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { join } from "node:path";
import { eventually, type Answer } from "./server.ts";

/** Where it listens, and to whom it hands on. */
export interface Front {
  folder: string;
  /** Its connections to the server come from here. */
  from: string;
  tlsPort: number;
  /** At this one it does no TLS, and says so. */
  plainPort: number;
  serversPort: number;
}

/** An nginx of somebody else's that does TLS in front of the server, with a certificate of its own. */
export class TlsFront {
  readonly certificate: string;
  readonly #front: Front;
  #process: ChildProcess | undefined;

  constructor(front: Front) {
    this.#front = front;
    this.certificate = join(front.folder, "front.pem");
  }

  async start(): Promise<void> {
    const { folder } = this.#front;
    mkdirSync(folder, { recursive: true });
    const subject = [
      "-subj",
      "/CN=localhost",
      "-addext",
      "subjectAltName=DNS:localhost,DNS:flask.localhost,DNS:django.localhost",
    ];
    const files = ["-keyout", join(folder, "front.key"), "-out", this.certificate];
    const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    execFileSync("openssl", ["req", ...kind, ...subject, ...files], { stdio: "ignore" });
    writeFileSync(join(folder, "nginx.conf"), this.#configuration());
    this.#process = spawn("/usr/sbin/nginx", ["-p", folder, "-c", join(folder, "nginx.conf")], {
      stdio: "ignore",
    });
    await eventually(
      () =>
        this.ask("/", {}).then(
          () => true,
          () => false,
        ),
      10_000,
    );
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.#process?.once("exit", resolve));
    if (this.#process?.kill("SIGTERM")) await gone;
  }

  /** Asks over TLS, as a visitor at an address of loopback does. */
  ask(
    path: string,
    request: {
      host?: string;
      from?: string;
      method?: string;
      headers?: Record<string, string>;
      body?: string;
    },
  ): Promise<Answer> {
    const { host = "localhost", from = "127.0.0.1", method = "GET", headers = {}, body } = request;
    const port = this.#front.tlsPort;
    return new Promise((resolve, reject) => {
      const client = httpsRequest(
        {
          ...{ host: "127.0.0.1", port, path, method, agent: false, localAddress: from },
          ...{ servername: host, ca: readFileSync(this.certificate) },
          headers: { host: `${host}:${port}`, ...headers },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () => {
            const { statusCode: status = 0, headers: said } = response;
            resolve({ status, body: Buffer.concat(chunks).toString(), headers: said });
          });
        },
      );
      client.on("error", reject);
      client.end(body);
    });
  }

  /** As docs/vhosts.md has it; over plain HTTP its visitors are elsewhere. */
  #configuration(): string {
    const { folder, from, tlsPort, plainPort, serversPort } = this.#front;
    const handOn = (visitor: string): string => `location / {
      proxy_pass http://127.0.0.1:${serversPort};
      proxy_bind ${from};
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-For ${visitor};
      proxy_request_buffering off;
      proxy_buffering off;
    }`;
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
      .join(" ");
    return `daemon off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events {}
http {
  access_log off; ${temporary} client_max_body_size 0;
  server {
    listen 127.0.0.1:${tlsPort} ssl;
    ssl_certificate ${this.certificate}; ssl_certificate_key ${folder}/front.key;
    ${handOn("$proxy_add_x_forwarded_for")}
  }
  server {
    listen 127.0.0.1:${plainPort};
    ${handOn("203.0.113.9")}
  }
}
`;
  }
}
