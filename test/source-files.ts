import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** What a source file says about itself: enough to check the rules of docs/architecture.md. */
export interface SourceFile {
  /** From the repository's root, with forward slashes: src/shared/errors.ts */
  readonly path: string;
  readonly lines: number;
  /** Every module named by an import, an export … from, an import() or an import type; `names` are empty for import(). */
  readonly imports: readonly { readonly from: string; readonly names: readonly string[] }[];
  readonly exportedClasses: readonly string[];
  readonly words: ReadonlySet<string>;
  readonly readsEnvironment: boolean;
  readonly synchronizes: boolean;
}

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Every .ts file under a folder of the repository, parsed; specs left out. */
export function sourceFiles(folder: string): SourceFile[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
    .map((name) =>
      readSource(`${folder}/${name.replaceAll('\\', '/')}`, readFileSync(join(ROOT, folder, name), 'utf8')),
    );
}

/** Parses one file. `words` holds the text of its string literals and identifiers, comments left out. */
export function readSource(path: string, text: string): SourceFile {
  const imports: { from: string; names: string[] }[] = [];
  const exportedClasses: string[] = [];
  const words = new Set<string>();
  let readsEnvironment = false;
  let synchronizes = false;

  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) || ts.isStringLiteralLike(node)) words.add(node.text);
    const from = moduleOf(node);
    if (from !== undefined) imports.push({ from, names: namesOf(node) });
    if (ts.isClassDeclaration(node) && node.name && isExported(node)) exportedClasses.push(node.name.text);
    if (isProcessEnv(node)) readsEnvironment = true;
    if (ts.isPropertyAssignment(node) && node.name.getText() === 'synchronize') {
      synchronizes ||= node.initializer.kind !== ts.SyntaxKind.FalseKeyword;
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true));
  return { path, lines: lineCount(text), imports, exportedClasses, words, readsEnvironment, synchronizes };
}

/** The file of this repository that an import means, or undefined for a package. */
export function resolveImport(importer: string, from: string): string | undefined {
  if (!from.startsWith('.')) return undefined;
  return normalize(join(dirname(importer), from))
    .replaceAll('\\', '/')
    .replace(/\.js$/, '.ts');
}

/** The package that an import means: '@nestjs/common', 'typeorm', or 'node:*' for what comes with Node. */
export function packageOf(from: string): string {
  if (from.startsWith('node:') || builtinModules.includes(from)) return 'node:*';
  return from
    .split('/')
    .slice(0, from.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Every file that `entry` loads, each with the chain of imports that leads to it. */
export function closureOf(entry: string, files: readonly SourceFile[]): Map<string, readonly string[]> {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const chains = new Map<string, readonly string[]>([[entry, [entry]]]);
  for (const [path, chain] of chains) {
    for (const { from } of byPath.get(path)?.imports ?? []) {
      const target = resolveImport(path, from);
      if (target !== undefined && !chains.has(target)) chains.set(target, [...chain, target]);
    }
  }
  return chains;
}

function moduleOf(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
    return node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier) ? node.moduleSpecifier.text : undefined;
  }
  if (ts.isImportTypeNode(node)) {
    return ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)
      ? node.argument.literal.text
      : undefined;
  }
  if (!ts.isCallExpression(node)) return undefined;
  const loads = node.expression.kind === ts.SyntaxKind.ImportKeyword || node.expression.getText() === 'require';
  const target = node.arguments[0];
  return loads && target && ts.isStringLiteralLike(target) ? target.text : undefined;
}

function namesOf(node: ts.Node): string[] {
  if (!ts.isImportDeclaration(node) || !node.importClause) return [];
  const { name, namedBindings } = node.importClause;
  const named = namedBindings && ts.isNamedImports(namedBindings) ? namedBindings.elements : [];
  return [...(name ? [name.text] : []), ...named.map((element) => (element.propertyName ?? element.name).text)];
}

function isExported(node: ts.ClassDeclaration): boolean {
  return node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false;
}

function isProcessEnv(node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(node)) return node.getText() === 'process.env';
  if (ts.isVariableDeclaration(node) && node.initializer?.getText() === 'process') {
    return (
      ts.isObjectBindingPattern(node.name) &&
      node.name.elements.some((one) => (one.propertyName ?? one.name).getText() === 'env')
    );
  }
  if (ts.isElementAccessExpression(node)) return /^process\[['"]env['"]\]$/.test(node.getText());
  return ts.isImportSpecifier(node) && (node.propertyName ?? node.name).text === 'env';
}

function lineCount(text: string): number {
  return text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
}
