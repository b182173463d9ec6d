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

/** A folder of small wheels, for what must not depend on a network: greeting 1.0 and 2.0, farewell 1.0. */
export function wheelFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "reeve-wheels-"));
  chmodSync(folder, 0o755);
  execFileSync("/usr/bin/python3", ["-c", makeWheels, folder]);
  return folder;
}

/** A requirements.txt that finds its packages in that folder alone. */
export function fromWheels(folder: string, ...requirements: string[]): string {
  return ["--no-index", `--find-links ${folder}`, ...requirements, ""].join("\n");
}
