import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ADD_KMS_USER, AUTH, errorOf, KEYSHARES, SignedWorld } from './signed-world.js';

let world: SignedWorld;
beforeEach(async () => {
  world = await SignedWorld.start();
});
afterEach(() => world.stop());

test('without a known receipt key nothing is signed; the printed command, with the compared keys, goes on', async () => {
  await world.claim();
  const elsewhere = { env: { KP_HOME: join(world.path, 'another') } };
  const operations = world.server.seen.filter((call) => call === 'POST /api/v1/operations').length;
  const ran = await world.run([...ADD_KMS_USER, '-o', 'json'], elsewhere);
  expect(ran.code).toBe(5);
  expect(errorOf(ran).error.code).toBe('UNIT_KEY_UNKNOWN');
  for (const unit of world.server.units) expect(errorOf(ran).error.next).toContain(`--unit-key ${unit.fingerprint}`);
  expect(world.server.seen.filter((call) => call === 'POST /api/v1/operations')).toHaveLength(operations);
  const keys = world.server.units.flatMap((unit) => ['--unit-key', unit.fingerprint]);
  expect((await world.run([...ADD_KMS_USER, ...keys], elsewhere)).code).toBe(0);
});

test('a unit that shows another receipt key than before stops everything with exit code 5', async () => {
  await world.claim();
  world.server.units[1]?.changeKey();
  const ran = await world.run(ADD_KMS_USER);
  expect(ran.code).toBe(5);
  expect(ran.stderr).toContain('somebody may stand between you and the unit');
  expect(world.server.units.map(({ state }) => state)).toEqual(['claimed', 'claimed', 'claimed']);
  expect((await world.run(['crypto-unit', 'users'])).code).toBe(5);
});

test('a unit that was zeroized by others may have a new key, which must be compared again', async () => {
  await world.claim();
  const pinned = await readFile(join(world.path, 'kp', 'known-units.json'), 'utf8');
  const [first] = world.server.units;
  if (!first) throw new Error('there is no unit');
  const other = { env: { KP_HOME: join(world.path, 'another') } };
  const zeroize = ['crypto-unit', 'zeroize', '--id', first.id, '--auth', AUTH, '--unit-key', first.fingerprint];
  expect((await world.run(zeroize, other)).code).toBe(0);
  expect(await readFile(join(world.path, 'kp', 'known-units.json'), 'utf8')).toBe(pinned);
  expect((await world.run(['crypto-unit', 'claim', '--credential', 'admin.key', '--ids', first.id])).code).toBe(0);
});

test('a server that forges the outcome, swaps receipts or replays them is found out', async () => {
  await world.claim();
  const [a, b] = world.server.units;
  world.server.units = [a, b].flatMap((unit) => unit ?? []);
  let kept: unknown;
  const lies: readonly ((units: { receipt: string | null; outcome: string }[]) => void)[] = [
    (units) => units.map((unit) => Object.assign(unit, { receipt: null, outcome: 'ok' })),
    (units) => {
      const [first, second] = units;
      if (first && second) [first.receipt, second.receipt] = [second.receipt, first.receipt];
    },
    (units) => {
      kept ??= structuredClone(units);
      Object.assign(units, structuredClone(kept));
    },
  ];
  await world.run(['crypto-unit', 'user', 'remove', '-u', 'nobody', '--auth', AUTH]);
  for (const lie of lies) {
    world.server.lie = (call, answer) => {
      if (call === 'POST /api/v1/operations')
        lie((answer as { units: { receipt: string | null; outcome: string }[] }).units);
      return answer;
    };
    if (lie === lies[2]) await world.run(ADD_KMS_USER); // the receipts that will be replayed
    const ran = await world.run([...ADD_KMS_USER, '-o', 'json']);
    expect(ran.code).toBe(5);
    expect(errorOf(ran).error.code).toBe('RECEIPT_INVALID');
  }
});

test('a server that gives its own importer key learns nothing: no master key is encrypted to it', async () => {
  await world.claim();
  await world.run([
    'crypto-unit',
    'mk',
    'generate',
    '--keyshare-files',
    KEYSHARES,
    '--key-name',
    'main',
    '--auth',
    AUTH,
  ]);
  const posted: number[] = [];
  world.server.lie = (call, answer) => {
    if (call !== 'POST /api/v1/operations') return answer;
    posted.push(1);
    const { units } = answer as { units: { receipt: string }[] };
    for (const unit of units) {
      const [header, body = '', signature] = unit.receipt.split('.');
      const receipt = JSON.parse(Buffer.from(body, 'base64url').toString()) as { facts: Record<string, string> };
      receipt.facts['publicKey'] = 'AAAA';
      unit.receipt = [header, Buffer.from(JSON.stringify(receipt)).toString('base64url'), signature].join('.');
    }
    return answer;
  };
  const ran = await world.run([
    'crypto-unit',
    'mk',
    'import',
    '--keyshare-files',
    '["s1.ks#env:S1","s2.ks#env:S2"]',
    '--auth',
    AUTH,
    '-o',
    'json',
  ]);
  expect(ran.code).toBe(5);
  expect(errorOf(ran).error.code).toBe('RECEIPT_INVALID');
  expect(posted).toHaveLength(1);
}, 120_000);
