import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, run } from './processes.js';

/** What `npm pack` puts into the package, used from where it was unpacked. */
const dir = mkdtempSync(join(tmpdir(), 'keystead-pack-'));
const unpacked = join(dir, 'package');
let files: string[];

beforeAll(async () => {
  const env = { PATH: process.env['PATH'] ?? '', HOME: dir };
  const packed = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', dir], {
    cwd: ROOT,
    env,
  });
  const [{ filename, files: listed }] = JSON.parse(packed.stdout);
  files = listed.map((file: { path: string }) => file.path);
  expect((await run('tar', ['xzf', join(dir, filename), '-C', dir])).code).toBe(0);
  symlinkSync(join(ROOT, 'node_modules'), join(unpacked, 'node_modules'));
}, 60_000);
afterAll(() => rmSync(dir, { recursive: true }));

it('holds licence, readme and both commands, and no test, source or key', () => {
  expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'bin/kp', 'bin/keystead', 'dist/main.js']));
  expect(files.filter((path) => /\.spec\.|^src\/|^test\/|\.pem$|\.key$/.test(path))).toEqual([]);
});

it('says what it is, under which licence and for which Node', () => {
  const about = JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8'));
  expect(about).toMatchObject({ name: 'keystead', license: 'Apache-2.0', bin: { kp: 'bin/kp' } });
  for (const field of ['description', 'repository', 'engines', 'keywords']) expect(about[field]).toBeDefined();
  expect(existsSync(join(unpacked, 'LICENSE'))).toBe(true);
});

it('has a kp that runs from there', async () => {
  const kp = join(unpacked, 'bin', 'kp');
  expect((await run(process.execPath, [kp, '--version'])).stdout).toMatch(/^\d+\.\d+\.\d+$/m);
  expect((await run(process.execPath, [kp, 'crypto-unit', 'claim', '--help'])).stdout).toContain('--credential');
});

it('has a keystead that runs from there', async () => {
  const { code, stdout } = await run(process.execPath, [join(unpacked, 'bin', 'keystead'), '--help']);
  expect([code, stdout]).toEqual([0, expect.stringContaining('serve')]);
});
