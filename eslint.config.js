import js from "@eslint/js";
import tseslint from "typescript-eslint";

// Dependencies point down (docs/architecture.md). Each row may import the rows below it, and the folders
// of the middle row do not import each other.
const rows = [
  ["cli"],
  ["front"],
  ["push"],
  ["agent"],
  ["deploy"],
  ["release", "environment", "vassal", "vhost", "preview", "settings"],
  ["app", "store", "config", "host"],
];
const ground = rows.at(-1);
const layers = Object.fromEntries(
  rows.flatMap((row, height) =>
    row.map((folder) => [
      folder,
      [...rows.slice(0, height).flat(), ...(row === ground ? [] : row)].filter(
        (name) => name !== folder,
      ),
    ]),
  ),
);

const processes = {
  name: "execa",
  message: "Only src/host starts processes: use Host.run.",
};
const childProcess = {
  allowTypeImports: true,
  ...processes,
  name: "node:child_process",
};

export default tseslint.config(
  { ignores: ["dist/", "var/", "examples/", "node_modules/", "coverage/"] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ["eslint.config.js", "scripts/*.mjs"] },
      },
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": [
        "error",
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      "max-lines-per-function": ["error", { max: 60, skipBlankLines: true, skipComments: true }],
      "max-params": ["error", 4],
      eqeqeq: "error",
    },
  },
  {
    files: ["test/**", "bench/**"],
    rules: { "max-lines-per-function": "off", "@typescript-eslint/no-non-null-assertion": "off" },
  },
  { files: ["**/*.js", "**/*.mjs"], extends: [tseslint.configs.disableTypeChecked] },
  {
    files: ["scripts/*.mjs"],
    languageOptions: { globals: { process: "readonly", console: "readonly", URL: "readonly" } },
  },
  {
    files: ["src/**/*.ts"],
    ignores: ["src/host/**"],
    rules: {
      "@typescript-eslint/no-restricted-imports": ["error", { paths: [processes, childProcess] }],
    },
  },
  ...Object.entries(layers).map(([folder, forbidden]) => ({
    files: [`src/${folder}/**/*.ts`],
    rules: {
      "@typescript-eslint/no-restricted-imports": [
        "error",
        {
          paths: folder === "host" ? [] : [processes, childProcess],
          patterns: forbidden.map((name) => ({
            regex: `^\\.\\./${name}/`,
            message: `${folder}/ may not import ${name}/: dependencies point down.`,
          })),
        },
      ],
    },
  })),
);
