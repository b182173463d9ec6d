/** Where packages are declared beside `requirements.txt`, and the tool's own line that writes it. */
export const elsewhere = {
  "uv.lock": "uv export --no-dev --no-hashes -o requirements.txt",
  "poetry.lock": "poetry export -o requirements.txt",
  "pdm.lock": "pdm export --prod -o requirements.txt",
  "Pipfile.lock": "pipenv requirements > requirements.txt",
  Pipfile: "pipenv lock && pipenv requirements > requirements.txt",
  "requirements.in": "uv pip compile requirements.in -o requirements.txt",
} as const;

/** Files of pip's own form under the names that people give them; the first is what a server is to have. */
export const kinds = ["production", "prod", "main", "base", "common", "requirements"].flatMap(
  (kind) => [`requirements/${kind}.txt`, `requirements-${kind}.txt`],
);

export const ofSetuptools = ["setup.cfg", "setup.py"];

export const declarations = [
  ...Object.keys(elsewhere),
  "pyproject.toml",
  ...kinds,
  ...ofSetuptools,
];
