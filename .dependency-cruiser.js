// The layout of src/ (docs/architecture.md). Each row may import what is beside it and below it, types as well as
// values. The siblings do not import each other, and neither do the wings.
const rows = [
  ["main.ts", "program.ts"],
  ["server"],
  ["cli"],
  ["front"],
  ["push"],
  ["agent"],
  ["deploy"],
  ["release", "environment", "vassal", "vhost", "preview", "settings"],
  ["protocol"],
  ["app", "store", "config", "host", "errors.ts"],
];
const siblings = rows.find((row) => row.includes("vassal"));
/** Two processes with a wall of rights between them: what both know stands in protocol/ and below. */
const wings = [
  ["front", "push", "store/front"],
  ["agent", "deploy", ...siblings, "store/agent"],
];

/** Those files and folders of src/. */
function inside(names) {
  const ways = names.map((name) =>
    name.endsWith(".ts") ? `${name.replace(".", "\\.")}$` : `${name}/`,
  );
  return `^src/(${ways.join("|")})`;
}

const upward = rows.slice(1).map((row, index) => ({
  name: "dependencies point down",
  comment: "A row of .dependency-cruiser.js imports what is beside it and below it.",
  severity: "error",
  from: { path: inside(row) },
  to: { path: inside(rows.slice(0, index + 1).flat()) },
}));

export default {
  forbidden: [
    ...upward,
    {
      name: "siblings do not know each other",
      comment: "What two of them need stands below; what needs two of them stands in deploy/.",
      severity: "error",
      from: { path: inside(siblings) },
      to: { path: inside(siblings), pathNot: "^src/$1" },
    },
    ...[wings, wings.toReversed()].map(([from, to]) => ({
      name: "the wings do not know each other",
      comment: "What one asks of the other stands in protocol/; what both need stands below it.",
      severity: "error",
      from: { path: inside(from) },
      to: { path: inside(to) },
    })),
    {
      name: "the command line only asks",
      comment: "It knows protocol/ and what that is made of, and nothing of how it is answered.",
      severity: "error",
      from: { path: "^src/cli/" },
      to: {
        path: "^src/",
        pathNot: inside(["cli", "protocol", "app", "config", "errors.ts"]),
      },
    },
    {
      name: "every folder has its row",
      comment: "Say here and in docs/architecture.md where it stands.",
      severity: "error",
      from: { path: "^src/", pathNot: inside(rows.flat()) },
      to: {},
    },
    {
      name: "steps are the deploy's own",
      comment: "What others need of a step stands outside deploy/steps/.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/deploy/" },
      to: { path: "^src/deploy/steps/" },
    },
    {
      name: "only host starts processes",
      comment: "Use Host.run.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/host/" },
      to: {
        path: "^(node:)?child_process$|^execa$|(^|/)node_modules/execa/",
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "no circles",
      comment: "What both need stands where neither needs the other; types are no exception.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
  ],
  options: {
    doNotFollow: { path: "(^|/)node_modules/" },
    // Looks before TypeScript drops what is only a type.
    tsPreCompilationDeps: true,
  },
};
