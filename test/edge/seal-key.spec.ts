import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '../../src/shared/secret.js';
import { PinAttempts } from '../../src/unit-agent/pin-attempts.js';
import { sealedPin } from '../../src/unit-agent/pin-source.js';
import { SealKey } from '../../src/unit-agent/seal.js';
import { UnitDir } from '../../src/unit-agent/unit-dir.js';
import { ROOT, run } from '../processes.js';
import { StandaloneAgent } from '../replicas/standalone-agents.js';
import { canKill } from '../unit-agent/kill-points.js';
import { until } from '../until.js';

/** Two units of SoftHSM tokens that share a seal key. */
const dir = mkdtempSync(join(tmpdir(), 'kse-'));
const sealKey = join(dir, 'seal-key');
const units = [join(dir, 'unit'), join(dir, 'second', 'unit')] as const;
const kept = join(dir, 'kept');
let agents: readonly [StandaloneAgent, StandaloneAgent];
let pins: string[];

const reseal = ['agent', 'reseal', '--unit-dir', units[0], '--unit-dir', units[1], '--seal-key', sealKey];
const keystead = (words: readonly string[]) => run(process.execPath, [join(ROOT, 'bin', 'keystead'), ...words]);
const pinsNow = () =>
  units.map((path) => {
    using pin = sealedPin(new UnitDir(path), sealKey).pin();
    return pin.bytes.toString();
  });

beforeAll(async () => {
  mkdirSync(join(dir, 'second'), { mode: 0o700 });
  for (const own of [dir, join(dir, 'second')]) mkdirSync(join(own, 'run'), { mode: 0o700 });
  const second = new StandaloneAgent(join(dir, 'second'), `unix:${join(dir, 'second', 'run', 'a.sock')}`);
  agents = [new StandaloneAgent(dir, `unix:${join(dir, 'run', 'a.sock')}`), second];
  await agents[0].start();
  cpSync(sealKey, join(dir, 'second', 'seal-key'));
  await second.start();
  await Promise.all(agents.map((agent) => agent.end()));
  pins = pinsNow();
  mkdirSync(kept);
  for (const [at, path] of units.entries()) cpSync(join(path, 'pin.sealed'), join(kept, String(at)));
  cpSync(sealKey, join(kept, 'seal-key'));
}, 60_000);
afterAll(async () => {
  await Promise.all((agents ?? []).map((agent) => agent.end()));
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(() => {
  for (const [at, path] of units.entries()) cpSync(join(kept, String(at)), join(path, 'pin.sealed'));
  rmSync(`${sealKey}.next`, { force: true });
  cpSync(join(kept, 'seal-key'), sealKey, { force: true });
});

it('a new seal key opens the PINs of all units, the old one none, and the agents run with it', async () => {
  const old = readFileSync(sealKey);
  const { code, stdout } = await keystead(reseal);
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^2 crypto unit\(s\) are sealed to a new key/)]);
  expect(readFileSync(sealKey).equals(old)).toBe(false);
  expect(existsSync(`${sealKey}.next`)).toBe(false);
  expect(pinsNow()).toEqual(pins);
  const [agent] = agents;
  await agent.start();
  expect(agent.log.slice(agent.log.lastIndexOf('token-open'))).toMatch(/"event":"ready".*"problem":null/);
  expect(await keystead(reseal)).toMatchObject({ code: 2, stderr: expect.stringMatching(/agent of unit .* stop it/) });
  await agent.end();
  writeFileSync(join(dir, 'old-key'), old, { mode: 0o400 });
  expect(() => sealedPin(new UnitDir(units[0]), join(dir, 'old-key')).pin()).toThrow(/does not open/);
});

/** Between two of these nothing changes that another process can see. */
const CALLS = ['link', 'rename'] as const;
type Call = (typeof CALLS)[number];
const traced = (...options: string[]) =>
  spawnSync('strace', ['-f', ...options, process.execPath, join(ROOT, 'bin', 'keystead'), ...reseal], {
    encoding: 'utf8',
  });

(canKill ? it : it.skip)(
  'killed at each change of a file, a rotation leaves PINs that open, and the same command ends it',
  async () => {
    const trace = join(dir, 'trace');
    expect(traced('-o', trace, '-y', '-e', `trace=${CALLS.join(',')}`).status).toBe(0);
    const lines = readFileSync(trace, 'utf8').split('\n');
    const main = lines[0]?.split(' ')[0] ?? '';
    const own = lines.filter((line) => line.startsWith(`${main} `));
    for (const call of CALLS) {
      const all = own.filter((line) => line.includes(` ${call}(`));
      const ours = all.flatMap((line, at) => (line.includes(dir) ? [at + 1] : []));
      expect([call, ours.length]).not.toEqual([call, 0]);
      for (const nth of ours) {
        for (const [at, path] of units.entries()) cpSync(join(kept, String(at)), join(path, 'pin.sealed'));
        rmSync(`${sealKey}.next`, { force: true });
        cpSync(join(kept, 'seal-key'), sealKey, { force: true });
        const { signal } = traced('-o', '/dev/null', '-e', `trace=${call as Call}`, '-e', `inject=${call}:signal=SIGKILL:when=${nth}`); // biome-ignore format: one line
        expect([call, nth, signal, pinsNow()]).toEqual([call, nth, 'SIGKILL', pins]);
      }
    }
    expect((await keystead(reseal)).code).toBe(0);
    expect([existsSync(`${sealKey}.next`), pinsNow()]).toEqual([false, pins]);
  },
  180_000,
);

it('a PIN that a prepared token refused stays refused under a new seal key', () => {
  const own = join(dir, 'prepared');
  mkdirSync(own, { mode: 0o700 });
  const config = { v: 1, id: new UnitDir(units[0]).id, provider: 'generic', module: '/m', pinFile: join(dir, 'pin') };
  writeFileSync(join(own, 'unit.json'), JSON.stringify(config));
  writeFileSync(join(dir, 'pin'), '1234\n', { mode: 0o600 });
  const attempts = () =>
    new PinAttempts(new UnitDir(own), SealKey.open(sealKey, false), new Secret(Buffer.from('1234')));
  attempts().end('refused');
  const words = ['agent', 'reseal', '--unit-dir', own, '--seal-key', sealKey];
  expect(spawnSync(process.execPath, [join(ROOT, 'bin', 'keystead'), ...words]).status).toBe(0);
  expect(() => attempts().assertAllowed()).toThrow(/not tried again/);
});

it('a seal key that is lost, or is another one, is said to be the end of the token, with the way out', async () => {
  const [agent] = agents;
  for (const spoil of [() => undefined, () => writeFileSync(sealKey, Buffer.alloc(32), { mode: 0o400 })]) {
    rmSync(sealKey, { force: true });
    spoil();
    const from = agent.log.length;
    agent.spawn();
    await until(async () => agent.log.slice(from).includes('"ready"'), 20_000);
    expect(agent.log.slice(from)).toMatch(/seal key.*put.* back.*kp crypto-unit replace ID --lost.*keyshares/);
    expect(await agent.end()).toBe(0);
  }
  expect(await keystead(reseal)).toMatchObject({ code: 2, stderr: expect.stringMatching(/does not open/) });
  expect(existsSync(`${sealKey}.next`)).toBe(false);
});
