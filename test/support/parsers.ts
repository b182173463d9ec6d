import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { programRoot } from "../../src/config/config.ts";

/** What a function may be handed that somebody else wrote. */
const texts = new Set(["string", "string | undefined", "string[]", "Buffer", "RequirementsFile[]"]);
/** What looks into a text. */
const looks = new Set(
  "at charAt codePointAt endsWith exec includes indexOf lastIndexOf match matchAll replace replaceAll search split startsWith test trim trimEnd trimStart".split(
    " ",
  ),
);

/**
 * Every function that a module exports, takes text and answers at once, where that module looks into texts at
 * all; and every class that is written to: `push/subject.ts subjectOf`. What only puts a command together looks
 * at nothing.
 */
export function parsersOf(file: string, source: string): string[] {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.ES2023, true);
  if (!looksIntoText(tree)) return [];
  return tree.statements.flatMap((statement) => {
    const isParser =
      (ts.isFunctionDeclaration(statement) && isFunctionOfText(statement, tree)) ||
      (ts.isClassDeclaration(statement) && statement.members.some((one) => isWrite(one, tree)));
    return isParser && isExported(statement) ? [`${file} ${statement.name?.text ?? ""}`] : [];
  });
}

export function allParsers(): string[] {
  const root = join(programRoot, "src");
  const files = readdirSync(root, { recursive: true, encoding: "utf8" });
  return files
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => parsersOf(file, readFileSync(join(root, file), "utf8")));
}

function looksIntoText(node: ts.Node): boolean {
  return (
    node.kind === ts.SyntaxKind.RegularExpressionLiteral ||
    (ts.isPropertyAccessExpression(node) && looks.has(node.name.text)) ||
    (ts.forEachChild(node, (child) => looksIntoText(child) || undefined) ?? false)
  );
}

function isFunctionOfText(node: ts.FunctionDeclaration, tree: ts.SourceFile): boolean {
  const answer = node.type?.getText(tree) ?? "";
  const isOther = /^(Promise|Command)\b/.test(answer);
  return !isOther && node.parameters.some((parameter) => isText(parameter, tree));
}

function isWrite(node: ts.ClassElement, tree: ts.SourceFile): boolean {
  return (
    ts.isMethodDeclaration(node) &&
    ts.isIdentifier(node.name) &&
    node.parameters.some((parameter) => parameter.type?.getText(tree) === "Buffer")
  );
}

function isText(parameter: ts.ParameterDeclaration, tree: ts.SourceFile): boolean {
  return texts.has(parameter.type?.getText(tree) ?? "");
}

function isExported(node: ts.FunctionDeclaration | ts.ClassDeclaration): boolean {
  return node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false;
}
