import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, type Answer, type TestServer } from "./server.ts";

/** Apps of a few lines, for what needs no framework. */

/** Answers every path with this text. */
export function plainApp(
  text: string,
  options: { importFor?: number } = {},
): Record<string, string> {
  const wait = options.importFor ? `import time\ntime.sleep(${options.importFor})\n` : "";
  return {
    "app.py": `${wait}
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"${text}"]
`,
  };
}

/** The same, but at `/slow` it says that it was asked, by a file in its data, and answers when `held` is not there. */
export function holdingApp(text: string): Record<string, string> {
  return {
    "app.py": `import os, time

data = os.environ["REEVE_DATA"]

def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        open(data + "/asked", "w").close()
        while os.path.exists(data + "/held"):
            time.sleep(0.02)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"${text}"]
`,
  };
}

/** Asks such an app, which has the request from then on until it is let go. */
export async function askHeld(
  server: TestServer,
  app: string,
): Promise<{ answer: Promise<Answer>; letGo: () => void }> {
  const data = server.path("srv", app, "data");
  writeFileSync(join(data, "held"), "");
  const answer = server.get(app, "/slow");
  await eventually(() => existsSync(join(data, "asked")));
  rmSync(join(data, "asked"));
  return { answer, letGo: () => rmSync(join(data, "held")) };
}

/** Answers with what an expression of Python gives, evaluated for each request. */
export function evaluatingApp(expression: string, imports = "import os"): Record<string, string> {
  return {
    "app.py": `${imports}

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(${expression}).encode()]
`,
  };
}

/** A package of the app's own, with a build backend that takes its time. */
export function slowPackage(seconds: number): Record<string, string> {
  return {
    "requirements.txt": "./slow\n",
    "slow/pyproject.toml":
      '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    "slow/backend.py": `import time, zipfile

def build_wheel(folder, settings=None, metadata=None):
    time.sleep(${seconds})
    name = "slow-1.0-py3-none-any.whl"
    about = "slow-1.0.dist-info/"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("slow.py", "")
        wheel.writestr(about + "METADATA", "Metadata-Version: 2.1\\nName: slow\\nVersion: 1.0\\n")
        wheel.writestr(about + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(about + "RECORD", "")
    return name
`,
  };
}

/**
 * Starts a daemon at its import, in a session of its own, that hears no signal but the last one; `mark` is in its
 * arguments, so that a test finds it.
 */
export function appWithDaemon(text: string, mark: string): Record<string, string> {
  return {
    "app.py": `import subprocess

daemon = "trap '' HUP INT TERM; while :; do sleep 1; done; : ${mark} ${text}"
subprocess.Popen(["setsid", "sh", "-c", daemon])

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"${text}"]
`,
  };
}
