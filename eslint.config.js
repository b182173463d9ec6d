import js from "@eslint/js";
import regexp from "eslint-plugin-regexp";
import tseslint from "typescript-eslint";
import { walksByNames } from "./eslint.walks.js";

/** A rule of its own: of two settings of no-restricted-syntax for one file only the last one would count. */
function forbid(selectors, message) {
  const create = (context) =>
    Object.fromEntries(
      selectors.map((selector) => [selector, (node) => context.report({ node, message })]),
    );
  return { create };
}

// Everybody on the machine can read the arguments of every process, and an address ends as one of git's.
const secretName =
  "/(token|passw(or)?d|passphrase|pass|pwd|secret|credential|cookie|bearer|authorization|proxy|proxy_url|database_url|dsn|(api|private|secret)_?key)s?$|^(index|extraIndex|package_(extra_)?index)$/i";
const secret = `:matches(Identifier[name=${secretName}], MemberExpression > Literal[value=${secretName}])`;
// A value behind such a name is one as well.
const told = `TemplateElement[tail=false][value.raw=/(token|passw(or)?d|passphrase|secret|authorization|api_?key)\\w*(=|: *)((basic|bearer) )?$/i]`;
const asArgument = forbid(
  [
    // An address that was given a password.
    "AssignmentExpression > MemberExpression.left[property.name='password']",
    ...[
      "Property[key.name='args']",
      "VariableDeclarator[id.name=/(args|arguments|words|command)$/i] ArrayExpression",
      "CallExpression[callee.name=/^(execa|spawn|execFile)/]",
      "CallExpression[callee.property.name=/^(push|unshift|splice|concat)$/][callee.object.name=/(args|arguments|words|command)$/i]",
      "CallExpression[callee.property.name=/^(push|unshift|splice|concat)$/][callee.object.property.name='args']",
      "AssignmentExpression[left.object.name='process'][left.property.name='title']",
      // A command of the command line is made by `new Command` and is none that runs.
      ":function[returnType.typeAnnotation.typeName.name='Command']:not(:has(NewExpression)) ArrayExpression",
      "TemplateLiteral:has(TemplateElement[value.raw=/:\\/\\//])",
      "BinaryExpression[operator='+']:has(Literal[value=/:\\/\\//])",
    ].flatMap((place) => [`${place} ${secret}`, `${place} ${told}`]),
  ],
  "This may hold a secret, and everybody can read arguments: hand it on by standard input, a file or the environment.",
);
// Whoever pushes chooses what an expression looks at, and one process answers all the others meanwhile: its time
// may grow with the text's length and no faster.
const linearExpressions = {
  plugins: { regexp },
  rules: {
    "regexp/no-super-linear-backtracking": ["error", { report: "potential" }],
    "regexp/no-super-linear-move": ["error", { report: "potential", ignorePartial: false }],
  },
};
const builtExpressions = ["NewExpression", "CallExpression"].map((kind) => ({
  selector: `${kind}[callee.name="RegExp"]`,
  message:
    "No rule can look into an expression that is put together: write it down, or go without.",
}));

export default tseslint.config(
  { ignores: ["dist/", "var/", "examples/", "node_modules/", "coverage/"] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  linearExpressions,
  {
    languageOptions: {
      parserOptions: {
        projectService: {
          allowDefaultProject: [".dependency-cruiser.js", "eslint*.js", "scripts/*.mjs"],
        },
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
    rules: {
      "no-restricted-syntax": ["error", ...builtExpressions, ...walksByNames],
      // What is not TypeScript as well: test/unit/sizes.test.ts.
      "max-lines": ["error", 400],
      // Node ends a process in which a promise fails that nobody waits for: each says what is done about it then.
      "@typescript-eslint/no-floating-promises": ["error", { ignoreVoid: false }],
    },
  },
  {
    files: ["src/**/*.ts"],
    plugins: { secrets: { rules: { "as-argument": asArgument } } },
    rules: { "secrets/as-argument": "error" },
  },
);
