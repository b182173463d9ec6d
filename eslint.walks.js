// What goes through a tree by names. Only src/host/walker.py may go through trees, by descriptors, because a name can
// be swapped while root is on its way (docs/decisions/0018-a-walker-of-our-own.md).

const message =
  "Root goes through what others own by descriptors: use src/host/walker.ts, or a call on one file or folder.";

const tools = "chmod|chown|chgrp|cp|rm|mv|rsync|tar|cpio|shred|setfacl|xargs";
const shells = "sh|bash|dash|ash|zsh|busybox";
/** A tool as a word of its own, by its path as well, or at the beginning of a line for a shell, or within one. */
const asWord = `^\\s*(\\S*\\u002f)?(${tools})$`;
const inLine = `(^|[\\s;&|(\`])(\\S*\\u002f)?(${tools})\\s+(-|\\$|[ugoa]*[+=]|[0-7]{3}|\\u002f|"|')`;
const shell = `^\\s*(\\S*\\u002f)?(${shells})(\\s|$)`;
const action = "^\\s*-(exec|execdir|ok|okdir|delete)$|\\s-(exec|execdir|ok|okdir|delete)\\s";
const forOwners = "^\\s*(\\S*\\u002f)?(chmod|chown|chgrp)\\s";
const banned = [asWord, inLine, forOwners, action, "\\brm(dir)?tree\\b|\\bcopytree\\b"].join("|");

/** The calls whose `recursive` goes nowhere but down a path that they are given. */
const harmless = "/^(mkdir|mkdirSync|readdir|readdirSync)$/";
const harmlessCall = [
  `CallExpression[callee.name=${harmless}]`,
  `CallExpression[callee.property.name=${harmless}]`,
].join(", ");
const nodes = "/^(cp|cpSync|rmdirSync)$/";

/** What a pusher is told to type on a machine of their own. */
const told = `:not(Property[key.name="hint"] > TemplateLiteral > TemplateElement)`;

export const walksByNames = [
  `Literal[value=/${banned}/]`,
  `TemplateElement[value.cooked=/${banned}/]${told}`,
  // A login has a shell; nothing is run by one.
  `Literal[value=/${shell}/]:not(Property[key.name="shell"] > Literal)`,
  `TemplateElement[value.cooked=/${shell}/]`,
  `ObjectExpression:not(:matches(${harmlessCall}) > ObjectExpression) > Property[key.name="recursive"]`,
  `ObjectExpression:not(:matches(${harmlessCall}) > ObjectExpression) > Property[key.value="recursive"]`,
  `AssignmentExpression > MemberExpression[property.name="recursive"]`,
  `ImportSpecifier[imported.name=${nodes}]`,
  `MemberExpression[property.name=${nodes}]`,
  `Property[key.name="shell"][value.value=true]`,
].map((selector) => ({ selector, message }));
