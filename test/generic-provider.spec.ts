import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, run } from './processes.js';
import { becomes, createKey, opens, succeed, unitOf, wrap } from './units.js';
import { until } from './until.js';
import { World } from './world.js';

/** Tokens that an administrator prepared: three in one SoftHSM, each with a key on it that is none of our business. */
const dir = mkdtempSync(join(tmpdir(), 'ksg-'));
const hsm = join(dir, 'hsm');
const softHsm = { PATH: process.env['PATH'] ?? '', SOFTHSM2_CONF: join(hsm, 'softhsm2.conf') };
const unitsFile = join(dir, 'units.json');
const pinFile = (n: number) => join(hsm, `keystead-${n}.pin`);
const pinOf = (n: number) => readFileSync(pinFile(n), 'utf8').trim();
let prepared: { module: string; serial: string }[];
let world: World;

beforeAll(async () => {
  const made = await succeed(run(join(ROOT, 'softhsm', 'init-units.sh'), [hsm, '3'], { env: softHsm }));
  writeFileSync(unitsFile, made.stdout);
  prepared = JSON.parse(made.stdout).units;
  for (const n of [1, 2, 3]) await importKey(n, 'payroll');
  world = await World.withInstance(3, {
    env: { SOFTHSM2_CONF: softHsm.SOFTHSM2_CONF, KEYSTEAD_UNITS_FILE: unitsFile },
  });
}, 60_000);
afterAll(async () => {
  await world.end();
  rmSync(dir, { recursive: true, force: true });
});

/** Puts a key on a token with softhsm2-util, which logs in with the PIN. */
function importKey(n: number, label: string) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const file = join(dir, `${label}-${n}.pem`);
  writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const id = Buffer.from(`${label}-${n}`).toString('hex');
  const words = ['--import', file, '--token', `keystead-${n}`, '--label', label, '--id', id, '--pin', pinOf(n)];
  return succeed(run('softhsm2-util', words, { env: softHsm }));
}

const LIST = `
  const { UnitToken } = await import('${ROOT}dist/pkcs11/unit-token.js');
  const { Secret } = await import('${ROOT}dist/shared/secret.js');
  const [module, serial, pin] = process.argv.slice(1);
  const token = UnitToken.open({ module, serial, pin: new Secret(Buffer.from(pin)), recordStore: 'token' });
  console.log(JSON.stringify(token.inventory().map((object) => object.label).sort()));
  token.close();`;

/** The labels of everything on a token, read with the PIN as it was at first. */
async function labels(n: number): Promise<string[]> {
  const { module = '', serial = '' } = prepared[n - 1] ?? {};
  const words = ['--input-type=module', '-e', LIST, module, serial, pinOf(n)];
  return JSON.parse((await succeed(run(process.execPath, words, { env: softHsm }))).stdout);
}

/** The unit whose token is the n-th one prepared. */
async function unitAt(n: number): Promise<string> {
  for (const { id } of await world.units()) {
    const { body } = await world.api('GET', `/api/v1/cryptounits/${id}`);
    if (body.serial === prepared[n - 1]?.serial) return id;
  }
  throw new Error(`no unit has the token ${n}`);
}

const logins = (id: string) =>
  world.log.split('\n').filter((line) => line.includes('"login-begin"') && line.includes(id)).length;

it('prepared tokens become reserved units of their zones, found by serial', async () => {
  const units = await Promise.all([1, 2, 3].map(async (n) => unitOf(world, await unitAt(n))));
  expect(units.map((unit) => unit.state)).toEqual(['reserved', 'reserved', 'reserved']);
  const zones = units.map((unit) => (unit as unknown as { zone: string }).zone);
  expect(zones).toEqual(['zone-1', 'zone-2', 'zone-3']);
});

it('when all prepared tokens are taken, an instance is refused with what to do', async () => {
  const { code, stderr } = await world.kp('instance', 'create', 'SECOND', '--crypto-units', '2');
  expect([code, stderr]).toEqual([1, expect.stringContaining('add prepared tokens')]);
  const { status, text } = await world.api('POST', '/api/v1/instances', { name: 'SECOND' });
  expect([status, text]).toEqual([409, expect.stringContaining('NO_UNIT_AVAILABLE')]);
});

it('the whole ceremony works on them, and a key wrapped in one opens in the others', async () => {
  await world.initialise();
  const key = await createKey(world, 'root');
  for (let turn = 0; turn < 3; turn += 1) expect(await opens(world, key, await wrap(world, key))).toBe(true);
});

it('Keystead changes no PIN and leaves what it did not make alone', async () => {
  for (const n of [1, 2, 3]) {
    expect(await labels(n)).toEqual(expect.arrayContaining(['payroll', 'mk-wrap', 'mk-mac', 'unit-mac']));
    await importKey(n, `later-${n}`);
  }
});

it('agents that log in to their tokens of one HSM at once do not disturb each other', async () => {
  const ids = (await world.units()).map((unit) => unit.id);
  for (let turn = 0; turn < 3; turn += 1) {
    const before = ids.map((id) => world.agentPid(id));
    for (const pid of before) process.kill(pid, 'SIGKILL');
    await until(async () => ids.every((id, n) => world.agentPid(id) !== before[n]), 10_000);
    for (const id of ids) await becomes(world, id, ['MasterKeyMatches', 'True', 'Checked']);
  }
  expect(await world.states()).toEqual(['kms-initialized', 'kms-initialized', 'kms-initialized']);
});

it('zeroize leaves the token and the keys of others, and nothing of ours', async () => {
  const id = await unitAt(3);
  await succeed(world.kp('crypto-unit', 'zeroize', '--id', id, '--auth', world.auth));
  expect((await unitOf(world, id)).state).toBe('reserved');
  const left = new Set(await labels(3));
  expect([...left].sort()).toEqual(['later-3', 'payroll']);
  expect((await world.api('GET', `/api/v1/cryptounits/${id}`)).body.serial).toBe(prepared[2]?.serial);
});

it('a zeroized token is claimed again', async () => {
  const id = await unitAt(3);
  await succeed(world.kp('crypto-unit', 'claim', '--credential', 'admin.key', '--ids', id));
  expect((await unitOf(world, id)).state).toBe('claimed');
});

describe('a wrong PIN in the PIN file', () => {
  let id: string;
  let right: string;
  const write = (n: number, pin: string) => {
    chmodSync(pinFile(n), 0o600);
    writeFileSync(pinFile(n), pin);
  };
  beforeAll(async () => {
    id = await unitAt(2);
    right = pinOf(2);
  });

  it('is tried once, and the unit says so', async () => {
    await world.stopServer();
    write(2, `${right.slice(1)}x\n`);
    const before = logins(id);
    await world.launch();
    await becomes(world, id, ['Reachable', 'False', 'PinRefused']);
    expect(logins(id)).toBe(before + 1);
    expect((await unitOf(world, id)).state).toBe('kms-initialized');
  });

  it('is not tried again by the same agent, by the next one, or after the next start of the server', async () => {
    const before = logins(id);
    const pid = world.agentPid(id);
    process.kill(pid, 'SIGKILL');
    await until(async () => world.agentPid(id) !== pid, 10_000);
    await becomes(world, id, ['Reachable', 'False', 'PinRefused']);
    await world.killServer();
    await world.launch();
    await becomes(world, id, ['Reachable', 'False', 'PinRefused']);
    expect(logins(id)).toBe(before);
  });

  it('is forgotten when the file holds the right one again', async () => {
    write(2, `${right}\n`);
    await becomes(world, id, ['Reachable', 'True'], 35_000);
    await becomes(world, id, ['MasterKeyMatches', 'True']);
  });

  it('in a file that others can read is not used at all', async () => {
    await world.stopServer();
    chmodSync(pinFile(2), 0o644);
    const before = logins(id);
    await world.launch();
    await becomes(world, id, ['Reachable', 'False', 'ConfigInvalid']);
    expect((await unitOf(world, id)).conditions[0]?.message).toContain('0600');
    expect(logins(id)).toBe(before);
    chmodSync(pinFile(2), 0o600);
  });
});
