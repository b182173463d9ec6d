import { aroundAll, beforeAll, expect } from "vitest";
import { TestServer, type Circumstances } from "./server.ts";
import { Workspace } from "./workspace.ts";

/**
 * The server of all tests of a block, or of a file. It runs before anything else is prepared, and is removed after
 * all else, also where its start fails, or what is prepared on it.
 */
export function withServer(options?: string[], circumstances?: Circumstances): TestServer {
  const server = new TestServer(options, circumstances);
  aroundAll(async (runBlock) => {
    try {
      await server.begin();
      await runBlock();
    } finally {
      await server.remove();
    }
  });
  return server;
}

/** A repository to push from, with these files in its first commit. What is declared after it finds it there. */
export function withWorkspace(
  server: TestServer,
  app: string,
  files: Record<string, string>,
): Workspace {
  const workspace = new Workspace();
  beforeAll(() => server.workspace(app, files, workspace));
  return workspace;
}

/** The same, once it was pushed: its app is on the air. */
export function withApp(server: TestServer, app: string, files: Record<string, string>): Workspace {
  const workspace = withWorkspace(server, app, files);
  beforeAll(async () => {
    const { exitCode, output } = await workspace.push();
    expect(exitCode, output).toBe(0);
  });
  return workspace;
}
