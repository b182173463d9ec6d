import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const makeWheels = `
import sys, zipfile
folder = sys.argv[1]
for name, version in (("greeting", "1.0"), ("greeting", "2.0"), ("farewell", "1.0")):
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(f"{folder}/{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", f"version = {version!r}\\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\\n{info}/METADATA,,\\n{info}/WHEEL,,\\n{info}/RECORD,,\\n")
`;

const makeSource = `
import io, sys, tarfile
files = {
    "PKG-INFO": "Metadata-Version: 2.1\\nName: parting\\nVersion: 1.0\\n",
    "pyproject.toml": '[build-system]\\nrequires = ["greeting"]\\nbuild-backend = "backend"\\nbackend-path = ["."]\\n',
    "backend.py": """import greeting, os, zipfile

def build_wheel(folder, settings=None, metadata=None):
    name, info = "parting-1.0-py3-none-any.whl", "parting-1.0.dist-info/"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("parting.py", "flag = %r" % os.environ.get("PARTING_FLAG"))
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\\\nName: parting\\\\nVersion: 1.0\\\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\\\nRoot-Is-Purelib: true\\\\nTag: py3-none-any\\\\n")
        wheel.writestr(info + "RECORD", "")
    return name
""",
}
with tarfile.open(f"{sys.argv[1]}/parting-1.0.tar.gz", "w:gz") as source:
    for name, text in files.items():
        member = tarfile.TarInfo("parting-1.0/" + name)
        member.size = len(text.encode())
        source.addfile(member, io.BytesIO(text.encode()))
`;

/** Adds a package that has to be built, with greeting at hand, and keeps what `PARTING_FLAG` is then: parting 1.0. */
export function addSource(folder: string): string {
  execFileSync("/usr/bin/python3", ["-c", makeSource, folder]);
  return folder;
}

const makeAdapter = `
import sys, zipfile
info = "a2wsgi-1.0.dist-info"
with zipfile.ZipFile(f"{sys.argv[1]}/a2wsgi-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("a2wsgi.py", """import asyncio

class ASGIMiddleware:
    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        sent = []
        async def send(event):
            sent.append(event)
        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}
        scope = {"type": "http", "method": environ["REQUEST_METHOD"], "path": environ["PATH_INFO"], "headers": []}
        asyncio.run(self.app(scope, receive, send))
        start_response(f"{sent[0]['status']} OK", [])
        return [event.get("body", b"") for event in sent[1:]]
""")
    wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: a2wsgi\\nVersion: 1.0\\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(f"{info}/RECORD", "")
`;

/** Adds the adapter between ASGI and WSGI under the name of PyPI's, with as much of it as answers one question. */
export function addAdapter(folder: string): string {
  execFileSync("/usr/bin/python3", ["-c", makeAdapter, folder]);
  return folder;
}

/** A folder of small wheels, for what must not depend on a network: greeting 1.0 and 2.0, farewell 1.0. */
export function wheelFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "reeve-wheels-"));
  chmodSync(folder, 0o755);
  execFileSync("/usr/bin/python3", ["-c", makeWheels, folder]);
  return folder;
}

const makeWheel = `
import json, sys, zipfile
folder, name, version, files = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
info = f"{name}-{version}.dist-info"
files |= {
    f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n",
    f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
}
files[f"{info}/RECORD"] = "".join(f"{path},,\\n" for path in files)
with zipfile.ZipFile(f"{folder}/{name}-{version}-py3-none-any.whl", "w") as wheel:
    for path, text in files.items():
        wheel.writestr(path, text)
`;

/** Adds a wheel of these files; with a console script where they tell of one in their `entry_points.txt`. */
export function addWheel(
  folder: string,
  name: string,
  version: string,
  files: Record<string, string>,
): void {
  const words = ["-c", makeWheel, folder, name, version, JSON.stringify(files)];
  execFileSync("/usr/bin/python3", words);
}

/** A requirements.txt that finds its packages in that folder alone. */
export function fromWheels(folder: string, ...requirements: string[]): string {
  return ["--no-index", `--find-links ${folder}`, ...requirements, ""].join("\n");
}
