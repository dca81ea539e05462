import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type HowToRun, kp, ownDirectory, startKp } from './kp.js';
import { StandInServer } from './stand-in-server.js';

const PASS = 'pass # with blanks, ünïcödé';
let home: Awaited<ReturnType<typeof ownDirectory>>;
beforeEach(async () => {
  home = await ownDirectory();
  await writeFile(join(home.path, 'pass.txt'), `${PASS}\n`, { mode: 0o600 });
});
afterEach(() => home.drop());

/** The sources that never show in argv, and those that do. */
const SOURCES: readonly (readonly [string, string, HowToRun])[] = [
  ['a variable', 'env:P', { env: { P: PASS } }],
  ['a file', 'file:pass.txt', {}],
  ['a descriptor', 'fd:3', { fd3: `${PASS}\n` }],
  ['stdin', 'stdin', { stdin: `${PASS}\n` }],
  ['a marked literal', `pass:${PASS}`, {}],
];

test.each(SOURCES)('sig-key generate takes the passphrase from %s', async (_what, source, how) => {
  const ran = await kp(['crypto-unit', 'sig-key', 'generate', '--file', 'a.key', '--passphrase', source], {
    ...how,
    cwd: home.path,
  });
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  const opened = execFileSync('openssl', ['pkey', '-in', 'a.key', '-passin', 'file:pass.txt', '-noout', '-text'], {
    cwd: home.path,
  });
  expect(opened.toString()).toContain('2048 bit');
});

test('every source signs; a bare literal is warned of once', async () => {
  const server = await new StandInServer(1).start();
  try {
    const plain = PASS.replace('#', ''); // after the last '#' a bare literal cannot hold another
    await writeFile(join(home.path, 'pass.txt'), `${plain}\n`, { mode: 0o600 });
    const run = (args: readonly string[], how: HowToRun = {}) =>
      kp(args, { ...how, cwd: home.path, env: { ...server.env, ...how.env } });
    await run(['crypto-unit', 'sig-key', 'generate', '--file', 'a.key', '--passphrase', 'file:pass.txt']);
    expect((await run(['crypto-unit', 'claim', '--credential', 'a.key'])).code).toBe(0);
    const cases: readonly (readonly [string, HowToRun])[] = [
      ['a.key#env:P', { env: { P: plain } }],
      ['a.key#file:pass.txt', {}],
      ['a.key#fd:3', { fd3: plain }],
      ['a.key#stdin', { stdin: plain }],
      [`a.key#pass:${plain}`, {}],
      [`a.key#${plain}`, {}],
    ];
    for (const [reference, how] of cases) {
      const ran = await run(
        ['crypto-unit', 'user', 'add', '--type', 'kmsCryptoUser', '--auth', JSON.stringify([{ ADMIN: reference }])],
        how,
      );
      expect({ reference, code: ran.code }).toEqual({ reference, code: 0 });
      expect(ran.stderr.split('Warning: a passphrase on the command line')).toHaveLength(
        reference === `a.key#${plain}` ? 2 : 1,
      );
    }
    await writeFile(join(home.path, 'auth.json'), JSON.stringify([{ ADMIN: `a.key#${plain}` }]));
    const fromFile = await run(['crypto-unit', 'user', 'add', '--type', 'kmsCryptoUser', '--auth', '@auth.json']);
    expect(fromFile).toMatchObject({ code: 0, stderr: '' });
    const wrong = await run([
      'crypto-unit',
      'user',
      'add',
      '--type',
      'kmsCryptoUser',
      '--auth',
      '[{"ADMIN":"a.key#pass:wrong"}]',
    ]);
    expect(wrong.code).toBe(4);
  } finally {
    await server.stop();
  }
});

test.each([
  ['nobody can be asked', 'a.key', {}, 'stdin is not a terminal'],
  ['the variable is not set', 'a.key#env:NOT_SET', {}, 'NOT_SET'],
  ['the file is missing', 'a.key#file:missing.txt', {}, 'missing.txt'],
  ['the descriptor is closed', 'a.key#fd:77', {}, 'file descriptor 77'],
  ['stdin is empty', 'a.key#stdin', {}, 'stdin holds no line'],
])('when %s, a sentence says what to do', async (_what, reference, how, says) => {
  await kp(['crypto-unit', 'sig-key', 'generate', '--file', 'a.key', '--passphrase', 'file:pass.txt'], {
    cwd: home.path,
  });
  const auth = JSON.stringify([{ ADMIN: reference }]);
  const ran = await kp(['crypto-unit', 'user', 'remove', '-u', 'x', '--auth', auth], {
    ...how,
    cwd: home.path,
    env: { KP_API_KEY: 'k' },
  });
  expect([1, 2]).toContain(ran.code);
  expect(ran.stderr).toContain(says);
});

test('255 characters are a passphrase, 256 are not, and fewer than 12 are warned of', async () => {
  const make = (file: string, passphrase: string) =>
    kp(['crypto-unit', 'sig-key', 'generate', '--file', file, '--passphrase', 'env:P'], {
      cwd: home.path,
      env: { P: passphrase },
    });
  expect(await make('a.key', 'é'.repeat(255))).toMatchObject({ code: 0, stderr: '' });
  expect((await make('b.key', 'é'.repeat(256))).code).toBe(2);
  expect((await make('c.key', 'abc')).code).toBe(2);
  expect((await make('d.key', 'short pass')).stderr).toContain('12 or more resist guessing');
});

const onLinux = process.platform === 'linux' ? test : test.skip;
onLinux('the command line of a running kp does not show the passphrase', async () => {
  const silent = createServer((socket) => socket.on('error', () => undefined).resume()).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  await kp(['crypto-unit', 'sig-key', 'generate', '--file', 'a.key', '--passphrase', 'env:P'], {
    cwd: home.path,
    env: { P: 'literal-secret' },
  });
  const auth = '[{"ADMIN":"a.key#literal-secret"}]';
  const env = { KP_API_KEY: 'k', KP_TARGET_ADDR: `http://127.0.0.1:${port}` };
  const child = startKp(['crypto-unit', 'user', 'remove', '-u', 'x', '--auth', auth], { cwd: home.path, env });
  try {
    await once(silent, 'connection'); // the keys are open by now
    for (let sample = 0; sample < 20; sample += 1) {
      const shown = await readFile(`/proc/${child.pid}/cmdline`, 'utf8');
      expect(shown).not.toContain('literal-secret');
      expect(shown.replace(/\0.*/s, '')).toBe('kp');
      await wait(5);
    }
  } finally {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    await new Promise((resolve) => silent.close(resolve));
  }
});
