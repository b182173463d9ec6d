// The layout of src/ (docs/architecture.md). Each row may import what is beside it and below it, types as well as
// values. The two wings, what things are made of in the agent, and the command line do not import each other.
const things = ["release", "environment", "vassal", "vhost", "preview", "variables"].map(
  (thing) => `agent/${thing}`,
);
/** Two processes with a wall of rights between them: what both know stands in protocol/ and below. */
const wings = [
  [
    ["front/front.ts", "front/control.ts"],
    ["front/http", "front/ssh", "front/hooks", "front/commands"],
    ["front/push"],
    ["front/repositories", "front/slots.ts"],
    ["front/accounts"],
    ["front/store"],
  ],
  [
    ["agent/agent.ts"],
    ["agent/verbs"],
    ["agent/reconcile"],
    ["agent/deploy"],
    ["agent/converge"],
    ["agent/instance"],
    ["agent/world"],
    ["agent/users", ...things],
    ["agent/store"],
  ],
];
const above = [["main.ts", "program.ts"], ["server"], ["cli"]];
const below = [["protocol"], ["names", "config", "system", "errors.ts"]];

/** Those files and folders of src/. */
function inside(names) {
  const ways = names.map((name) =>
    name.endsWith(".ts") ? `${name.replace(".", "\\.")}$` : `${name}/`,
  );
  return `^src/(${ways.join("|")})`;
}

/** What is forbidden to each row of a list: those above it. */
function upward(rows) {
  return rows.slice(1).map((row, index) => ({
    name: "dependencies point down",
    comment: "A row of .dependency-cruiser.js imports what is beside it and below it.",
    severity: "error",
    from: { path: inside(row) },
    to: { path: inside(rows.slice(0, index + 1).flat()) },
  }));
}

const inAll = [...above, wings.flat(2), ...below];

export default {
  forbidden: [
    ...upward(inAll),
    ...wings.flatMap(upward),
    {
      name: "siblings do not know each other",
      comment: "What two of them need stands below; what needs two of them stands above.",
      severity: "error",
      from: { path: inside(things) },
      to: { path: inside(things), pathNot: "^src/$1" },
    },
    ...[
      ["front", "agent"],
      ["agent", "front"],
    ].map(([from, to]) => ({
      name: "the wings do not know each other",
      comment: "What one asks of the other stands in protocol/; what both need stands below it.",
      severity: "error",
      from: { path: inside([from]) },
      to: { path: inside([to]) },
    })),
    {
      name: "the command line only asks",
      comment: "It knows protocol/ and what that is made of, and nothing of how it is answered.",
      severity: "error",
      from: { path: "^src/cli/" },
      to: {
        path: "^src/",
        pathNot: inside(["cli", "protocol", "names", "config", "errors.ts"]),
      },
    },
    {
      name: "every folder has its row",
      comment: "Say here and in docs/architecture.md where it stands.",
      severity: "error",
      from: { path: "^src/", pathNot: inside(inAll.flat()) },
      to: {},
    },
    {
      name: "steps are the deploy's own",
      comment: "What others need of a step stands outside agent/deploy/steps/.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/agent/deploy/" },
      to: { path: "^src/agent/deploy/steps/" },
    },
    {
      name: "only system starts processes",
      comment: "Use System.run.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/system/" },
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
