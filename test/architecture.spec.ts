import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { closureOf, packageOf, ROOT, readSource, resolveImport, type SourceFile, sourceFiles } from './source-files.js';

/** The order of docs/architecture.md: a file imports from its own folder and from folders to its left. */
const ORDER = `shared config database audit admins pkcs11 unit-agent access instances crypto-units master-key
  key-rings import-tokens keys access-keys http health api dialects console`.split(/\s+/);

const FEATURES = [
  'access',
  'instances',
  'crypto-units',
  'master-key',
  'key-rings',
  'import-tokens',
  'keys',
  'access-keys',
];
const EDGES = ['http', 'health', 'api', 'dialects', 'console'];

/** Files that may read process.env, and why. Everything else is given what it needs. */
const READS_ENVIRONMENT: Record<string, string> = {
  'src/cli/main.ts': 'KP_… variables and #env: passphrases of the command line',
  'src/unit-agent/main.ts':
    'sets SOFTHSM2_CONF, which SoftHSM2 reads from the environment of the process, and reads NODE_OPTIONS',
  'src/crypto-units/agent-process.ts':
    'starts agents with the environment of the server, but for NODE_OPTIONS and one setting of their malloc',
};

const CLI_PACKAGES = ['node:*', 'commander', 'zod', 'shamirs-secret-sharing', '@peculiar/x509', 'reflect-metadata'];
const AGENT_PACKAGES = ['node:*', 'zod', 'pkcs11js', 'graphene-pk11', 'pino'];
const HTTP_PACKAGES = ['fastify', '@nestjs/platform-fastify'];
const HTTP_NAMES =
  /^(Controller|Get|Post|Put|Patch|Delete|All|Head|Options|HttpCode|Header|Headers|Redirect|Body|Param|Query|Req|Res|UseGuards|UseFilters|UseInterceptors|UsePipes|HttpStatus|\w+Exception)$/;
const VAGUE_WORDS = ['Manager', 'Helper', 'Helpers', 'Util', 'Utils', 'Service', 'Impl', 'Base', 'Common', 'Dto'];
const MAX_LINES = 250;

const files = sourceFiles('src');

/** src/a/b.ts → a; the files of src itself (main, app.module, …) stand to the right of every folder but cli. */
const folderOf = (path: string): string | undefined => (path.split('/').length > 2 ? path.split('/')[1] : undefined);
const rankOf = (path: string): number => {
  const folder = folderOf(path);
  return folder === undefined ? ORDER.length : ORDER.indexOf(folder);
};
const isIn = (path: string, folders: readonly string[]): boolean => folders.includes(folderOf(path) ?? '');
const isEdge = (path: string): boolean =>
  isIn(path, EDGES) || path.endsWith('.controller.ts') || rankOf(path) === ORDER.length;

/** Every import of every file that breaks a rule, as 'importer → imported'. */
function importsThat(breaks: (file: SourceFile, from: string, names: readonly string[]) => boolean): string[] {
  return files.flatMap((file) =>
    file.imports
      .filter(({ from, names }) => breaks(file, from, names))
      .map(({ from, names }) => `${file.path} → ${resolveImport(file.path, from) ?? from} ${names.join(', ')}`.trim()),
  );
}

/** The packages in the import closure of an entry that are not allowed there, each with the chain that leads to it. */
function strayPackages(entry: string, allowed: readonly string[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  if (!byPath.has(entry)) return [`${entry} does not exist`];
  return [...closureOf(entry, files)].flatMap(([path, chain]) =>
    (byPath.get(path)?.imports ?? [])
      .filter(({ from }) => !from.startsWith('.') && !allowed.includes(packageOf(from)))
      .map(({ from }) => [...chain, packageOf(from)].join(' → ')),
  );
}

describe('the order of folders', () => {
  it('knows every folder of src', () => {
    const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map(({ name }) => name).filter((name) => name !== 'cli' && !ORDER.includes(name))).toEqual([]);
  });

  it('lets a file import from its own folder and from folders to the left only', () => {
    const rightward = importsThat((file, from) => {
      const target = resolveImport(file.path, from);
      if (target === undefined || folderOf(file.path) === 'cli') return false;
      return folderOf(target) === 'cli' || rankOf(target) > rankOf(file.path);
    });
    expect(rightward).toEqual([]);
  });

  it('keeps the dialects apart: none imports from another', () => {
    const across = importsThat((file, from) => {
      const target = resolveImport(file.path, from);
      if (target === undefined || folderOf(file.path) !== 'dialects' || folderOf(target) !== 'dialects') return false;
      return target.split('/')[2] !== file.path.split('/')[2];
    });
    expect(across).toEqual([]);
  });

  it('finds every file that is imported', () => {
    const known = new Set(files.map(({ path }) => path));
    const lost = importsThat((file, from) => {
      const target = resolveImport(file.path, from);
      return target !== undefined && !known.has(target);
    });
    expect(lost).toEqual([]);
  });
});

describe('who may touch what', () => {
  it('PKCS#11 packages: src/pkcs11 only', () => {
    const stray = importsThat(
      (file, from) => ['pkcs11js', 'graphene-pk11'].includes(packageOf(from)) && !isIn(file.path, ['pkcs11']),
    );
    expect(stray).toEqual([]);
  });

  it('TypeORM: feature folders, audit and database only', () => {
    const stray = importsThat(
      (file, from) =>
        ['typeorm', '@nestjs/typeorm'].includes(packageOf(from)) &&
        !isIn(file.path, ['database', 'audit', ...FEATURES]) &&
        !['src/data-source.ts', 'src/app.module.ts'].includes(file.path),
    );
    expect(stray).toEqual([]);
  });

  it('HTTP: controllers, http, health, api, dialects, console and the entry of the server only', () => {
    const stray = importsThat((file, from, names) => {
      if (isEdge(file.path)) return false;
      const http = packageOf(from) === '@nestjs/common' && names.some((name) => HTTP_NAMES.test(name));
      return http || HTTP_PACKAGES.includes(packageOf(from));
    });
    expect(stray).toEqual([]);
  });

  it('command and query buses: access/gate.ts only', () => {
    const stray = importsThat(
      (file, from, names) =>
        packageOf(from) === '@nestjs/cqrs' &&
        names.some((name) => ['CommandBus', 'QueryBus'].includes(name)) &&
        file.path !== 'src/access/gate.ts',
    );
    expect(stray).toEqual([]);
  });

  it('process.env: config and the listed files only', () => {
    const readers = files.filter(({ path, readsEnvironment }) => readsEnvironment && !isIn(path, ['config']));
    expect(readers.map(({ path }) => path).filter((path) => !(path in READS_ENVIRONMENT))).toEqual([]);
    expect(Object.keys(READS_ENVIRONMENT).filter((path) => !readers.some((file) => file.path === path))).toEqual([]);
  });
});

describe('what a program loads', () => {
  it('kp: no server package, no PKCS#11', () => {
    expect(strayPackages('src/cli/main.ts', CLI_PACKAGES)).toEqual([]);
  });

  it('the unit agent: no TypeORM, no Nest, no HTTP server', () => {
    expect(strayPackages('src/unit-agent/main.ts', AGENT_PACKAGES)).toEqual([]);
  });

  it('the master-key ceremony: what kp may load, and no HTTP client of its own', () => {
    expect(strayPackages('src/master-key/ceremony.ts', CLI_PACKAGES)).toEqual([]);
  });
});

describe('files and names', () => {
  it(`have at most ${MAX_LINES} lines a file`, () => {
    expect(files.filter(({ lines }) => lines > MAX_LINES).map(({ path, lines }) => `${path}: ${lines}`)).toEqual([]);
  });

  it('have no index.ts: an import says where a thing lives', () => {
    expect(files.map(({ path }) => path).filter((path) => path.endsWith('/index.ts'))).toEqual([]);
  });

  it(`use none of the words ${VAGUE_WORDS.join(', ')}`, () => {
    const wordsOf = (name: string): string[] =>
      name.split(/[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])/).map((word) => word.toLowerCase());
    const vague = (name: string): boolean =>
      wordsOf(name).some((word) => VAGUE_WORDS.some((bad) => bad.toLowerCase() === word));
    const names = files.flatMap(({ path, exportedClasses }) => [
      path,
      ...exportedClasses.map((name) => `${path}: ${name}`),
    ]);
    expect(names.filter(vague)).toEqual([]);
  });

  it('never let TypeORM synchronize the schema', () => {
    expect(files.filter(({ synchronizes }) => synchronizes).map(({ path }) => path)).toEqual([]);
  });
});

describe('error codes', () => {
  it('are each used outside the table', async () => {
    const { HTTP_STATUS } = await import('../src/shared/errors.js');
    const elsewhere = files.filter(({ path }) => path !== 'src/shared/errors.ts');
    const unused = Object.keys(HTTP_STATUS).filter((code) => !elsewhere.some(({ words }) => words.has(code)));
    expect(unused).toEqual([]);
  });
});

describe('the repository', () => {
  it('holds no absolute path of somebody’s machine', () => {
    // put together here, so that this file does not find itself
    const homes = ['home/[a-z]', 'Users/[A-Za-z]', 'work/[a-z]', 'root/[a-z.]'].map((home) => `/${home}`);
    const pattern = new RegExp(`(?<![\\w.~/-])(${homes.join('|')})`);
    const found = textFiles(ROOT).flatMap((path) =>
      readFileSync(join(ROOT, path), 'utf8')
        .split('\n')
        .flatMap((line, at) => (pattern.test(line) ? [`${path}:${at + 1}: ${line.trim()}`] : [])),
    );
    expect(found).toEqual([]);
  });
});

describe('the reader of sources', () => {
  it('sees static, type, exported, dynamic and required imports, and no comment', () => {
    const { imports } = readSource(
      'src/a/b.ts',
      `import x, { type y } from './1.js'; import type z from './2.js'; export * from './3.js';
       // import './no.js'
       const later = () => import('./4.js'); type T = import('./5.js').T; require('./6.js');`,
    );
    expect(imports.map(({ from }) => from)).toEqual([1, 2, 3, 4, 5, 6].map((n) => `./${n}.js`));
    expect(imports[0]?.names).toEqual(['x', 'y']);
  });

  it('sees process.env, synchronize and exported classes', () => {
    const source = readSource(
      'src/a/b.ts',
      `export class KeyManager {} const o = { synchronize: true, e: process.env.HOME };`,
    );
    expect(source).toMatchObject({ exportedClasses: ['KeyManager'], readsEnvironment: true, synchronizes: true });
    expect(readSource('src/a/b.ts', 'const { stdin, env } = process;').readsEnvironment).toBe(true);
    expect(readSource('src/a/b.ts', '// process.env\nconst o = { synchronize: false };')).toMatchObject({
      readsEnvironment: false,
      synchronizes: false,
    });
  });
});

function textFiles(root: string): string[] {
  const skipped = ['node_modules', 'dist', '.git', '.keystead', 'coverage', '.setup', 'package-lock.json'];
  const walk = (folder: string): string[] =>
    readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (skipped.includes(entry.name)) return [];
      if (entry.isDirectory()) return walk(path);
      return entry.isFile() ? [path] : [];
    });
  return walk('');
}
