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
