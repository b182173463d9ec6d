import { request as httpRequest } from "node:http";

export interface ProbeRequest {
  socketPath: string;
  path: string;
  headers: Record<string, string>;
  /** Milliseconds for the whole answer. */
  within: number;
  signal?: AbortSignal;
}

export interface Answered {
  status: number;
  /** `whole`: as long as the answer said; `unsaid`: it ended where the connection did. */
  body: "whole" | "empty" | "unsaid";
}

/** What came back: a status; or nothing, because nobody listens, the time was up, or the connection was closed. */
export type ProbeResponse =
  Answered | { failure: "nobody listens" | "no answer in time" | "cut off" };

/** Asks one HTTP request over a unix socket. The body is read to its end and thrown away. */
export function ask(request: ProbeRequest): Promise<ProbeResponse> {
  return new Promise((resolve) => {
    const { socketPath, path, headers } = request;
    const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(request.within)));
    const signal = request.signal ? AbortSignal.any([timeout, request.signal]) : timeout;
    const client = httpRequest({ socketPath, path, headers, agent: false, signal }, (response) => {
      const { statusCode: status = 0, headers: said } = response;
      const saysItsEnd = "content-length" in said || "transfer-encoding" in said;
      let isEmpty = true;
      response.on("data", () => (isEmpty = false));
      response.on("end", () =>
        resolve({ status, body: isEmpty ? "empty" : saysItsEnd ? "whole" : "unsaid" }),
      );
      response.on("error", () => resolve({ failure: "cut off" }));
    });
    client.on("error", (error: NodeJS.ErrnoException) => {
      const isRefused = error.code === "ECONNREFUSED" || error.code === "ENOENT";
      resolve({
        failure: timeout.aborted ? "no answer in time" : isRefused ? "nobody listens" : "cut off",
      });
    });
    client.end();
  });
}
