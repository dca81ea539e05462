import type { SignedFacts } from '../unit-agent/protocol.js';
import { type DriftUnit, differencesOf } from './drift.js';

const ADMIN = { name: 'ADMIN', kid: 'aa' };
const BOB = { name: 'bob', kid: 'bb' };
const KMS = { name: 'kms', kid: 'cc' };
const MK = {
  mkId: '1',
  setId: '2',
  name: 'MK',
  algorithm: 'AES-256' as const,
  t: 2,
  n: 3,
  mkvp: 'ab'.repeat(16),
  createdAt: '',
  importedAt: '',
};
const facts: SignedFacts = {
  instance: 'i',
  epoch: 'e',
  counter: 7,
  threshold: 1,
  admins: [ADMIN],
  kmsUser: KMS,
  masterKey: MK,
  token: { model: 'SoftHSM v2', manufacturer: 'SoftHSM project', firmware: '2.6' },
  capabilities: null,
};
const unit = (id: string, change: Partial<SignedFacts> = {}): DriftUnit => ({
  id,
  state: 'kms-initialized',
  facts: { ...facts, counter: Number(id), epoch: id, ...change },
});
const found = (...units: DriftUnit[]) => differencesOf(units, KMS.kid);
const commands = (...units: DriftUnit[]) => found(...units).flatMap(({ repairs }) => repairs.map((one) => one.command));
const cu = (id: string, ...names: string[]) =>
  `--cu '${JSON.stringify([{ CryptoUnitId: id, Auth: names.map((name) => ({ [name]: `FILE_OF_${name}` })) }])}'`;

test('units that differ only in counter and epoch do not differ', () => {
  expect(found(unit('1'), unit('2'), unit('3'))).toEqual([]);
});

test('an administrator whom most units have is added to the others', () => {
  const both = { admins: [ADMIN, BOB] };
  expect(found(unit('1', both), unit('2', both), unit('3'))).toMatchObject([
    { what: "administrator 'bob'", values: [{ units: ['1', '2'] }, { value: 'not enrolled', units: ['3'] }] },
  ]);
  expect(commands(unit('1', both), unit('2', both), unit('3'))).toEqual([
    `kp crypto-unit user add --type admin --name bob --credential FILE_OF_bob ${cu('3', 'ADMIN')}`,
  ]);
});

test('an administrator whom few units have is removed there', () => {
  expect(commands(unit('1', { admins: [ADMIN, BOB] }), unit('2'), unit('3'))).toEqual([
    `kp crypto-unit user remove -u bob ${cu('1', 'ADMIN')}`,
  ]);
});

test('an administrator whom half of the units have: both ways are given', () => {
  const [difference] = found(unit('1', { admins: [ADMIN, BOB] }), unit('2'));
  expect(difference?.repairs.map(({ when }) => when)).toEqual(['it belongs there', 'it does not']);
});

test('one name with two keys is two administrators; the few are removed before the many are added', () => {
  const other = { admins: [ADMIN, { name: 'bob', kid: 'dd' }] };
  const right = { admins: [ADMIN, BOB] };
  const lines = commands(unit('1', right), unit('2', right), unit('3', other));
  expect(lines.map((line) => line.split(' ')[3])).toEqual(['remove', 'add']);
  expect(lines.every((line) => line.includes('"CryptoUnitId":"3"'))).toBe(true);
});

test('a threshold that no majority has becomes the larger one, signed by so many', () => {
  const admins = [ADMIN, BOB];
  expect(commands(unit('1', { admins, threshold: 2 }), unit('2', { admins }))).toEqual([
    `kp crypto-unit threshold set 2 ${cu('2', 'ADMIN', 'bob')}`,
  ]);
});

test("a kmsCryptoUser that is not the service's own is removed, and the service's own added", () => {
  const lines = commands(unit('1'), unit('2', { kmsUser: { name: 'else', kid: 'ee' } }), unit('3', { kmsUser: null }));
  expect(lines[0]).toBe(`kp crypto-unit user remove -u else ${cu('2', 'ADMIN')}`);
  expect(lines[1]).toMatch(/^kp crypto-unit user add --type kmsCryptoUser .*"2".*"3"/);
});

test('a unit without the master key imports it; one with another starts again', () => {
  expect(commands(unit('1'), unit('2'), unit('3', { masterKey: null }))).toEqual([
    expect.stringMatching(/^kp crypto-unit mk import .*"3"/),
  ]);
  const other = { masterKey: { ...MK, mkvp: 'cd'.repeat(16) } };
  expect(commands(unit('1'), unit('2'), unit('3', other))).toEqual([
    expect.stringMatching(/^kp crypto-unit zeroize --id 3 --auth/),
    'kp crypto-unit claim --credential FILE_OF_ADMIN --ids 3',
    'kp crypto-units diff',
  ]);
  expect(found(unit('1'), unit('2', other))[0]?.repairs.every(({ when }) => when !== undefined)).toBe(true);
});

test('a reserved unit is claimed, one in maintenance is taken out of it', () => {
  const reserved = { id: '2', state: 'reserved', facts: null };
  expect(commands(unit('1'), reserved)).toEqual(['kp crypto-unit claim --credential FILE_OF_ADMIN --ids 2']);
  expect(commands(unit('1'), { ...unit('2'), state: 'maintenance' })).toEqual(['kp crypto-unit maintenance 2 --off']);
});

test('firmware and capabilities are compared member by member, the path of the module is not', () => {
  const capabilities = { module: '/a.so', aesKw: true, kwp: 1 } as unknown as SignedFacts['capabilities'];
  const other = { module: '/b.so', aesKw: true, kwp: 2 } as unknown as SignedFacts['capabilities'];
  const token = { ...facts.token, firmware: '2.7' };
  const what = found(unit('1', { capabilities }), unit('2', { capabilities: other, token })).map((one) => one.what);
  expect(what).toEqual(['firmware', 'capability kwp']);
});
