import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { kp, ownDirectory } from './kp.js';

let home: Awaited<ReturnType<typeof ownDirectory>>;
const at = (path: string) => join(home.path, path);

beforeEach(async () => {
  home = await ownDirectory();
  await writeFile(at('there'), 'precious');
  await symlink('there', at('link'));
  await symlink('nowhere', at('dangling'));
  await mkdir(at('directory'));
  execFileSync('mkfifo', [at('fifo')]);
  for (const [name, mode] of [
    ['group', 0o770],
    ['world', 0o777],
    ['sticky', 0o1777],
  ] as const) {
    await mkdir(at(name));
    await chmod(at(name), mode);
  }
});
afterEach(() => home.drop());

const env = { KP_API_KEY: 'key', KP_TARGET_ADDR: 'http://127.0.0.1:9' };
const run = (args: readonly string[]) => kp(args, { cwd: home.path, env });

const MAKES = {
  'sig-key generate': (path: string) => ['crypto-unit', 'sig-key', 'generate', '--file', path],
  'mk generate': (path: string) => [
    'crypto-unit',
    'mk',
    'generate',
    '--key-name',
    'x',
    '--auth',
    '[{"ADMIN":"a.key"}]',
    '--keyshare-files',
    JSON.stringify(['fine.ks#pass:123456789012', `${path}#pass:123456789012`]),
  ],
  'mk reshare': (path: string) => [
    'crypto-unit',
    'mk',
    'reshare',
    '--keyshare-files',
    '["there#pass:123456789012"]',
    '--new-keyshare-files',
    JSON.stringify(['fine.ks#pass:123456789012', `${path}#pass:123456789012`]),
  ],
} as const;

const REFUSED = [
  ['a file that exists', 'there', 1],
  ['a link to a file', 'link', 1],
  ['a dangling link', 'dangling', 1],
  ['a directory', 'directory', 1],
  ['a FIFO', 'fifo', 1],
  ['a device', '/dev/null', 1],
  ["a path with '..'", '../kp-escape', 2],
  ["a path with '..' inside", 'directory/../escape', 2],
  ['a file in a directory that does not exist', 'missing/a.key', 1],
  ['a file below a file', 'there/a.key', 1],
  ['a file in a directory that the group can write', 'group/a.key', 1],
  ['a file in a directory that everybody can write', 'world/a.key', 1],
  ['a path of 256 characters', 'x'.repeat(256), 2],
] as const;

describe.each(Object.keys(MAKES) as (keyof typeof MAKES)[])('%s', (command) => {
  test.each(REFUSED)('refuses %s', async (_what, path, code) => {
    const ran = await run(MAKES[command](path));
    expect(ran.stderr).toMatch(/FAILED\n.+/);
    expect(ran.code).toBe(code);
    expect(await readFile(at('there'), 'utf8')).toBe('precious');
    for (const name of ['fine.ks', 'nowhere', 'group/a.key', 'world/a.key', 'escape', '../kp-escape']) {
      expect(existsSync(at(name))).toBe(false);
    }
  });
});

test('one file may not hold two keyshares, however it is spelt', async () => {
  for (const twin of ['a.ks', './a.ks', 'directory/.//../a.ks', at('a.ks')]) {
    const files = JSON.stringify(['a.ks#pass:123456789012', `${twin}#pass:123456789012`]);
    const ran = await run([
      'crypto-unit',
      'mk',
      'generate',
      '--key-name',
      'x',
      '--auth',
      '[{"ADMIN":"a.key"}]',
      '--keyshare-files',
      files,
    ]);
    expect(ran.code).toBe(2);
  }
});

test.each(['fifo', 'directory', 'missing', '/dev/zero'])(
  'a credential that is not a file (%s) is refused at once',
  async (path) => {
    const ran = await run(['crypto-unit', 'claim', '--credential', path]);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain(path);
  },
);

test('a signature key is made for its owner alone, also in a sticky directory, and openssl opens it', async () => {
  const ran = await kp(
    ['crypto-unit', 'sig-key', 'generate', '--file', 'sticky/a.key', '--passphrase', 'env:P', '-o', 'json'],
    {
      cwd: home.path,
      env: { P: 'a passphrase of some length' },
    },
  );
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  const { fingerprint } = JSON.parse(ran.stdout) as { fingerprint: string };
  expect((await stat(at('sticky/a.key'))).mode & 0o777).toBe(0o600);
  const spki = execFileSync('openssl', [
    'pkey',
    '-in',
    at('sticky/a.key'),
    '-passin',
    'pass:a passphrase of some length',
    '-pubout',
    '-outform',
    'DER',
  ]);
  expect(execFileSync('sha256sum', { input: spki }).toString().slice(0, 64)).toBe(fingerprint);
  expect(execFileSync('openssl', ['x509', '-in', at('sticky/a.key'), '-noout', '-text']).toString()).toContain(
    '2048 bit',
  );
});
