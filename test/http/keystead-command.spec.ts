import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive, until } from '../database/server-process.js';

const ROOT = join(import.meta.dirname, '../..');
const SPAWNED_MS = 30_000;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'keystead-command-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function keystead(args: string[], env: Record<string, string> = {}, root = ROOT) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'bin', 'keystead'), ...args], {
    cwd: dir,
    encoding: 'utf8',
    timeout: SPAWNED_MS,
    env: { PATH: process.env['PATH'], KEYSTEAD_RUNTIME_DIR: join(dir, 'run'), ...env },
  });
  return { status, stdout, stderr };
}

it('--help says what there is, --version which one it is', () => {
  expect(keystead(['--help'])).toMatchObject({ status: 0, stdout: expect.stringMatching(/serve[\s\S]*agent/) });
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  expect(keystead(['--version'])).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
});

it('an unknown command is a usage error', () => {
  expect(keystead(['sever'])).toMatchObject({ status: 2, stderr: expect.stringContaining("no command 'sever'") });
});

it('says how to build it when it is not built', () => {
  mkdirSync(join(dir, 'bin'));
  cpSync(join(ROOT, 'bin', 'keystead'), join(dir, 'bin', 'keystead'));
  cpSync(join(ROOT, 'package.json'), join(dir, 'package.json'));
  expect(keystead(['serve'], {}, dir)).toMatchObject({ status: 1, stderr: expect.stringContaining('npm run build') });
});

it('agent hands its arguments on', () => {
  const { status, stderr } = keystead(['agent', '--no-such-flag']);
  expect(status).not.toBe(0);
  expect(stderr).toContain('no-such-flag');
});

it.each([
  [{ KEYSTEAD_PORT: 'eighty' }, /^FAILED\nKEYSTEAD_PORT: /],
  [{ KEYSTEAD_HOST: '0.0.0.0' }, /KEYSTEAD_ALLOW_PLAINTEXT/],
  [{ KEYSTEAD_TLS_CERT_FILE: '/none', KEYSTEAD_TLS_KEY_FILE: '/none' }, /KEYSTEAD_TLS_CERT_FILE cannot be read/],
  [{ KEYSTEAD_DATA_DIR: '/dev/null/x' }, /KEYSTEAD_DATA_DIR/],
])('a configuration it cannot use, as %j, ends it with 2 and one sentence', (env, sentence) => {
  expect(keystead([], env)).toMatchObject({ status: 2, stderr: expect.stringMatching(sentence) });
});

it.each([['serve'], ['agent', '--help']])(
  'with a debugger open on it, keystead %s ends with 2 before it does anything',
  (...args) => {
    const { status, stdout, stderr } = keystead(args, { NODE_OPTIONS: '--inspect=127.0.0.1:0' });
    expect([status, stdout, stderr]).toEqual([2, '', expect.stringMatching(/a debugger is open on this process/)]);
  },
);

it('a port that is taken ends it with 2, and what had started is stopped', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as AddressInfo;
  const env = {
    KEYSTEAD_PORT: String(port),
    KEYSTEAD_DATA_DIR: join(dir, 'data'),
    KEYSTEAD_RUNTIME_DIR: join(dir, 'run'),
  };
  const { status, stdout, stderr } = keystead([], env);
  taken.close();
  expect([status, stderr]).toEqual([2, expect.stringMatching(/^FAILED\ncannot listen on .*KEYSTEAD_PORT/)]);
  const line = stdout.split('\n').find((one) => one.includes('"event":"database-started"'));
  const { pid } = JSON.parse(line ?? '{}');
  await until(() => !isAlive(pid), 5_000);
});

it('a server whose log nobody reads any more serves on, and ends when it is told to', async () => {
  const child = spawn(process.execPath, [join(ROOT, 'bin', 'keystead'), 'serve'], {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: {
      PATH: process.env['PATH'],
      KEYSTEAD_PORT: '0',
      KEYSTEAD_DATA_DIR: join(dir, 'data'),
      KEYSTEAD_RUNTIME_DIR: join(dir, 'run'),
    },
  });
  let log = '';
  child.stdout.on('data', (piece) => {
    log += piece;
  });
  await until(() => log.includes('"event":"listening"'), SPAWNED_MS);
  const url = /"address":"([^"]+)"/.exec(log)?.[1];
  child.stdout.destroy();
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
});
