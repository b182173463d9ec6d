// What goes through a tree by names. Only src/system/walker/ may go through trees, by descriptors, because a name can
// be swapped while root is on its way (docs/decisions/0018-a-walker-of-our-own.md).

const message =
  "Root goes through what others own by descriptors: use src/system/walker.ts, or a call on one file or folder.";

const tools =
  "chmod|chown|chgrp|cp|rm|mv|rsync|tar|bsdtar|cpio|pax|unzip|scp|shred|setfacl|setfattr|chcon|chattr|xargs|parallel";
const shells = "sh|bash|dash|ash|zsh|ksh|csh|tcsh|fish|busybox|toybox";
/** What reeve starts by a name that is written down. Another one comes here by somebody who knows what it follows. */
const programs =
  "find|flock|getent|git|mkdir|nginx|prlimit|setpriv|ssh-keygen|systemd-notify|tee|test|touch|unshare|useradd|userdel|usermod|env|cat";
/** A tool as a word of its own, by its path as well, or at the beginning of a line for a shell, or within one. */
const asWord = `^\\s*(\\S*\\u002f)?(${tools})$`;
const inLine = `(^|[\\s;&|(\`])(\\S*\\u002f)?(${tools})\\s+(-|\\$|[ugoa]*[+=]|[0-7]{3}|\\u002f|"|')`;
const shell = `^\\s*(\\S*\\u002f)?(${shells})(\\s|$)`;
const action = "^\\s*-(exec|execdir|ok|okdir|delete)$|\\s-(exec|execdir|ok|okdir|delete)\\s";
const forOwners = "^\\s*(\\S*\\u002f)?(chmod|chown|chgrp)\\s";
/** Before what is put behind it. */
const beginning = `^\\s*(\\S*\\u002f)?(${tools})\\s+$`;
/** In a program that is written as a text. */
const inPrograms =
  "\\brm(dir)?tree\\b|\\bcopytree\\b|\\bremove_tree\\b|\\brglob\\b|\\bFile::(Path|Find)\\b|\\bos\\.(l?chown|chmod|f?walk|removedirs)\\b";
const banned = [asWord, inLine, forOwners, beginning, action, inPrograms].join("|");

/** The calls whose `recursive` goes nowhere but down a path that they are given. */
const harmless = "/^(mkdir|mkdirSync|readdir|readdirSync)$/";
const harmlessCall = [
  `CallExpression[callee.name=${harmless}]`,
  `CallExpression[callee.property.name=${harmless}]`,
].join(", ");
const nodes = "/^(cp|cpSync|rm|rmSync|rmdirSync|opendir|opendirSync|glob|globSync)$/";
const fileSystem = "/^(node:)?fs(\\u002fpromises)?$/";
const command = `ObjectExpression:has(> Property[key.name="args"]) > Property[key.name="file"]`;
const start = `CallExpression[callee.name=/^(execa|spawn|exec|fork)/]`;
const known = `[value=/^(\\S*\\u002f(nginx|python3|perl)|${programs})$/]`;

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
  // All of what the file system does is imported by its name, where these lines find it.
  `ImportDeclaration[source.value=${fileSystem}] > :matches(ImportDefaultSpecifier, ImportNamespaceSpecifier)`,
  `ImportSpecifier[imported.name=/^(default|promises)$/]`,
  `:matches(ExportNamedDeclaration, ExportAllDeclaration)[source.value=${fileSystem}]`,
  // Where it begins with a dot it is a file of ours, whatever its name: these lines look at that one too.
  `ImportExpression:not(:matches(${["value", "quasis.0.value.cooked"].map((beginning) => `[source.${beginning}=/^\\.\\.?\\u002f/]`).join(", ")}))`,
  `ImportDeclaration[source.value=/^(node:)?(module|vm)$/]`,
  `CallExpression[callee.name=/^(require|createRequire)$/]`,
  `MemberExpression[object.name="process"]:matches(${["name", "value"].map((of) => `[property.${of}=/^(binding|getBuiltinModule|dlopen)$/]`).join(", ")})`,
  // A program is one that is known, or somebody's option.
  `${command} > Literal:not(${known})`,
  `${command} > :not(Identifier, Literal, MemberExpression)`,
  `${start} > Literal.arguments:first-child:not(${known})`,
].map((selector) => ({ selector, message }));
