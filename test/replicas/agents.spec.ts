import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AdminClient, AgentConnection } from '../../src/unit-agent/client.js';
import { ROOT } from '../processes.js';
import { until } from '../until.js';
import { StandaloneAgent } from './standalone-agents.js';

/** `keystead agent`: the agent of one unit, by itself. */
let dir: string;
let agent: StandaloneAgent;
const socket = () => join(dir, 'run', 'agent.sock');
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ksa-'));
  mkdirSync(join(dir, 'run'), { mode: 0o700 });
  agent = new StandaloneAgent(dir, `unix:${socket()}`);
});
afterEach(async () => {
  await agent.end('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

async function probe() {
  const connection = await AgentConnection.connect(socket(), { deadlineMs: 10_000 });
  try {
    return await new AdminClient(connection).probe();
  } finally {
    connection.close();
  }
}

it('makes its directory, its id and its token at the first start, and finds them at the next', async () => {
  await agent.start();
  const { facts } = await probe();
  expect(facts).toMatchObject({ unit: agent.unitId, record: null, token: { present: true, problem: null } });
  for (const name of readdirSync(agent.unitDir)) {
    expect([name, statSync(join(agent.unitDir, name)).mode & 0o077]).toEqual([name, 0]);
  }
  expect(await agent.end()).toBe(0);
  await agent.start();
  expect((await probe()).facts).toMatchObject({ unit: facts.unit, token: { serial: facts.token.serial } });
});

it('ends on SIGTERM with 0 and leaves no pid file; nobody needs to hold its standard input open', async () => {
  await agent.start();
  await probe();
  expect(await agent.end()).toBe(0);
  expect(readdirSync(agent.unitDir)).not.toContain('agent.pid');
});

it('goes on when it gets SIGHUP, which is for those that have TLS files to read again', async () => {
  await agent.start();
  process.kill(agent.pid, 'SIGHUP');
  await probe();
  expect([agent.running, await agent.end()]).toEqual([true, 0]);
});

describe('the directory of its socket', () => {
  it.each([
    [0o700, 0o600],
    [0o2750, 0o660],
  ])('of mode %o gives the socket mode %o', async (directory, mode) => {
    chmodSync(join(dir, 'run'), directory);
    await agent.start();
    expect(statSync(socket()).mode & 0o777).toBe(mode);
  });

  it.each([0o755, 0o770, 0o777])('of mode %o is refused with the mode to give it', async (directory) => {
    chmodSync(join(dir, 'run'), directory);
    const child = agent.spawn();
    const code = await new Promise((resolve) => child.once('exit', resolve));
    expect([code, agent.log]).toEqual([2, expect.stringMatching(/closed to others; make it mode 0700, or 2750/)]);
  });
});

it('that hangs is ended by itself, so that whatever runs it can start it again', async () => {
  const alone = new StandaloneAgent(dir, `unix:${socket()}`, ['--hang-ms', '1000', '--module', await slowModule()]);
  await alone.start().catch(() => undefined); // it hangs in its first call
  await until(async () => !alone.running, 10_000);
  expect(alone.log).toContain('"event":"hung"');
});

/** A module whose C_Initialize never returns; compiled here, because nothing else hangs as a call of C does. */
async function slowModule(): Promise<string> {
  const source = join(dir, 'slow.c');
  const module = join(dir, 'slow.so');
  writeFileSync(
    source,
    `#include <unistd.h>
     typedef unsigned long CK_RV;
     static CK_RV hang(void *arguments) { for (;;) pause(); }
     static struct { unsigned char version[2]; CK_RV (*call[80])(void *); } list = { { 2, 40 }, { hang } };
     CK_RV C_GetFunctionList(void **out) { for (int at = 0; at < 80; at++) list.call[at] = hang; *out = &list; return 0; }`,
  );
  const { status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-o', module, source], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return module;
}

describe('a prepared token', () => {
  it('is named on the command line, and keeps its PIN', async () => {
    const hsm = join(dir, 'hsm');
    const env = { PATH: process.env['PATH'] ?? '', SOFTHSM2_CONF: join(hsm, 'softhsm2.conf') };
    const made = spawnSync(join(ROOT, 'softhsm', 'init-units.sh'), [hsm, '1'], { env, encoding: 'utf8' });
    const { module, serial, pinFile } = JSON.parse(made.stdout).units[0];
    const pin = readFileSync(pinFile, 'utf8');
    const words = ['--module', module, '--token-serial', serial, '--pin-file', pinFile];
    const own = new StandaloneAgent(dir, `unix:${socket()}`, words, { SOFTHSM2_CONF: env.SOFTHSM2_CONF });
    await own.start();
    expect((await probe()).facts.token).toMatchObject({ present: true, serial });
    expect(readFileSync(pinFile, 'utf8')).toBe(pin);
    expect(await own.end()).toBe(0);
  });

  it('without its name is refused with the options that give it', async () => {
    const own = new StandaloneAgent(dir, `unix:${socket()}`, ['--pin-file', join(dir, 'pin')]);
    const child = own.spawn();
    const code = await new Promise((resolve) => child.once('exit', resolve));
    expect([code, own.log]).toEqual([2, expect.stringContaining('--token-serial or --token-label')]);
  });
});

it.each([
  [['--listen', 'tcp:1'], /write unix:PATH or tls:HOST:PORT/],
  [['--listen', 'tls:127.0.0.1:7000'], /needs --tls-cert, --tls-key and --tls-client-ca/],
  [['--listen', 'unix:/x', '--socket', '/x'], /either --listen or --socket/],
  [['--listen', 'unix:/x', '--life-line'], /--life-line goes with --socket/],
  [['--listen', 'unix:/x', '--hang-ms', '5'], /at least 1000/],
])('refuses %j', (words, why) => {
  const args = [join(ROOT, 'bin', 'keystead'), 'agent', '--unit-dir', dir, '--seal-key', join(dir, 'key'), ...words];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect([status, stderr]).toEqual([2, expect.stringMatching(why)]);
});

it('is zeroized on its own host with its directory alone', async () => {
  await agent.start();
  const before = (await probe()).facts.token.serial;
  await agent.end();
  const words = ['agent', 'zeroize', '--unit-dir', agent.unitDir, '--seal-key', join(dir, 'seal-key'), '--yes'];
  const { status, stdout } = spawnSync(process.execPath, [join(ROOT, 'bin', 'keystead'), ...words], {
    encoding: 'utf8',
  });
  expect([status, stdout]).toEqual([0, expect.stringContaining(`${agent.unitId} is zeroized`)]);
  await agent.start();
  expect((await probe()).facts.token.serial).not.toBe(before);
});
