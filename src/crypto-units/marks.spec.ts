import { generateKeyPairSync, sign } from 'node:crypto';
import { fingerprintOf, spkiOf } from '../admins/public-key.js';
import { type Receipt, receiptSigningInput, sealReceipt } from '../admins/receipt.js';
import type { RecordFacts, UnitFacts } from '../unit-agent/protocol.js';
import { marksAfter, withNewerMarks } from './marks.js';

const unitKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const spki = spkiOf(unitKey.publicKey);
const epoch = 'e'.repeat(32);
const unit = { id: 'unit', serial: 's1', claimedEpoch: null, receiptKey: null, lastRecord: null, seenAt: null };
const record: RecordFacts = {
  instance: 'instance',
  epoch,
  counter: 0,
  threshold: 1,
  admins: [{ name: 'ADMIN', kid: 'a' }],
  kmsUser: null,
  masterKey: null,
};
const facts: UnitFacts = {
  unit: 'unit',
  at: '2026-01-01T00:00:00.000Z',
  token: { present: true, serial: 's1', label: null, model: null, manufacturer: null, firmware: null, problem: null },
  record: null,
  recordLost: false,
  receiptKey: null,
  objects: 0,
  masterKeyMatches: null,
  audit: null,
  zeroized: null,
};
const receiptKey = { spki: spki.toString('base64url'), fingerprint: fingerprintOf(unitKey.publicKey) };
const claimed = { ...unit, claimedEpoch: epoch, receiptKey: spki, lastRecord: record };

const zeroizeReceipt = (change: Partial<Receipt> = {}, key = unitKey.privateKey): string => {
  const receipt: Receipt = {
    v: 1,
    plan: 'p',
    nonce: null,
    digest: '0'.repeat(64),
    op: 'zeroize',
    instance: 'instance',
    unit: 'unit',
    serial: 's1',
    epoch,
    counter: 4,
    outcome: 'ok',
    error: null,
    facts: {},
    at: '2026-01-01T00:00:00.000Z',
    ...change,
  };
  const input = receiptSigningInput(receipt, receiptKey.fingerprint);
  return sealReceipt(input, sign('sha256', input, { key, dsaEncoding: 'ieee-p1363' }));
};
const emptied = (receipt: string): UnitFacts => ({
  ...facts,
  token: { ...facts.token, serial: 's2' },
  zeroized: { epoch, serial: 's1', receipt },
});

it('notes a serial when none was known', () => {
  expect(marksAfter({ ...unit, serial: null }, facts)).toMatchObject({ serial: 's1', claimedEpoch: null });
});

it('notes a claim that the server did not live to mark', () => {
  expect(marksAfter(unit, { ...facts, record, receiptKey })).toMatchObject({ claimedEpoch: epoch, receiptKey: spki });
});

it('changes nothing when it has everything already', () => {
  expect(marksAfter(claimed, { ...facts, record, receiptKey })).toBeUndefined();
});

it('never takes the record of another token', () => {
  const other = { ...facts, token: { ...facts.token, serial: 's9' }, record, receiptKey };
  expect(marksAfter(unit, other)).toBeUndefined();
});

it('never takes the record of another claim', () => {
  expect(marksAfter(claimed, { ...facts, record: { ...record, epoch: 'f'.repeat(32) }, receiptKey })).toBeUndefined();
});

it('keeps the claim of a token that vanished', () => {
  expect(marksAfter(claimed, { ...facts, token: { ...facts.token, present: false, serial: null } })).toBeUndefined();
});

it('believes a zeroization that the unit key signed', () => {
  expect(marksAfter(claimed, emptied(zeroizeReceipt()))).toEqual({
    serial: 's2',
    claimedEpoch: null,
    receiptKey: null,
    lastRecord: null,
  });
});

it.each([
  ['another unit', { unit: 'other' }],
  ['another claim', { epoch: 'f'.repeat(32) }],
  ['another token', { serial: 's0' }],
  ['another act', { op: 'user.add' }],
  ['a refusal', { outcome: 'refused', error: { code: 'UNIT_STATE', message: 'no' } }],
] as const)('does not believe the receipt of %s', (_what, change) => {
  expect(marksAfter(claimed, emptied(zeroizeReceipt(change as Partial<Receipt>)))).toBeUndefined();
});

it('refuses a zeroization that another key signed', () => {
  const forged = zeroizeReceipt({}, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
  expect(() => marksAfter(claimed, emptied(forged))).toThrow(/does not verify/);
});

it('a row that was read before the last note keeps that note, and what else was read', () => {
  type Row = Parameters<typeof marksAfter>[0] & { maintenance: boolean };
  const before: Row = { ...unit, maintenance: true };
  const noted: Row = { ...claimed, seenAt: new Date('2026-01-01T00:00:01Z'), maintenance: false };
  expect(withNewerMarks(before, noted)).toEqual({ ...noted, maintenance: true });
  expect(withNewerMarks({ ...before, seenAt: new Date('2026-01-01T00:00:02Z') }, noted).claimedEpoch).toBeNull();
});

it('ignores facts that later ones have overtaken', () => {
  const seenAt = new Date('2026-01-01T00:00:01Z');
  expect(marksAfter({ ...unit, seenAt }, { ...facts, record, receiptKey })).toBeUndefined();
});
