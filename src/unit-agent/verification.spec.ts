import { generateKeyPairSync, type KeyObject, randomBytes, randomUUID } from 'node:crypto';
import { spkiOf } from '../admins/public-key.js';
import { type CommandPayload, parseCommand, signCommand } from '../admins/signed-command.js';
import type { ErrorCode } from '../shared/errors.js';
import type { UnitRecord } from './unit-record.js';
import { answeredBefore, verifyCommand } from './verification.js';

const newKey = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const [ada, bob, eve] = [newKey(), newKey(), newKey()];
const now = new Date('2026-05-01T12:00:00.000Z');
const minutes = (n: number) => new Date(now.getTime() + n * 60_000).toISOString();
const hex = (bytes: number) => randomBytes(bytes).toString('hex');

const admin = (name: string, key: KeyObject) => ({ name, spki: spkiOf(key).toString('base64'), certificate: null });
const record: UnitRecord = {
  v: 1,
  seq: 5,
  unit: randomUUID(),
  serial: 'cafe',
  instance: randomUUID(),
  epoch: hex(16),
  counter: 4,
  threshold: 1,
  admins: [admin('ada', ada), admin('bob', bob)],
  kmsUser: null,
  mk: null,
  receiptKey: { id: hex(16), spki: 'AAAA' },
  unitMac: hex(16),
  plans: [],
};
const target = { id: record.unit, serial: record.serial, epoch: record.epoch, counter: 5 };
const payload: CommandPayload = {
  v: 1,
  op: 'user.remove',
  instance: record.instance,
  plan: randomUUID(),
  units: [{ ...target, id: randomUUID() }, target],
  args: { name: 'bob' },
  issuedAt: minutes(0),
  expiresAt: minutes(5),
};
const elsewhere = (change: object) => ({ units: [{ ...target, ...change }] });

interface Case {
  readonly rule: string;
  readonly change?: Partial<CommandPayload>;
  readonly by?: readonly KeyObject[];
  readonly threshold?: number;
  readonly at?: string;
  readonly code: ErrorCode | null;
}
const cases: readonly Case[] = [
  { rule: 'one that names the unit, fresh, signed and next is taken', code: null },
  { rule: 'one that every administrator signed is taken', by: [ada, bob], threshold: 2, code: null },
  { rule: 'one for another unit is refused', change: elsewhere({ id: randomUUID() }), code: 'COMMAND_TARGET' },
  { rule: 'one for another instance is refused', change: { instance: randomUUID() }, code: 'COMMAND_TARGET' },
  { rule: 'one for another serial is refused', change: elsewhere({ serial: 'beef' }), code: 'COMMAND_TARGET' },
  { rule: 'one for another epoch is refused', change: elsewhere({ epoch: hex(16) }), code: 'COMMAND_TARGET' },
  { rule: 'one that has expired is refused', at: minutes(7), code: 'COMMAND_EXPIRED' },
  { rule: 'one from the future is refused', at: minutes(-2), code: 'COMMAND_EXPIRED' },
  { rule: 'one signed by a stranger is refused', by: [eve], code: 'SIGNATURE_INVALID' },
  { rule: 'one with a good signature and a stranger’s is refused', by: [ada, eve], code: 'SIGNATURE_INVALID' },
  { rule: 'one with too few signers is refused', threshold: 2, code: 'QUORUM_NOT_MET' },
  { rule: 'one whose counter was used is refused', change: elsewhere({ counter: 4 }), code: 'COMMAND_REPLAYED' },
  { rule: 'one whose counter is ahead is refused', change: elsewhere({ counter: 6 }), code: 'COMMAND_REPLAYED' },
  {
    rule: 'one that lives for 11 minutes is refused where one administrator signs alone',
    change: { expiresAt: minutes(11) },
    code: 'COMMAND_MALFORMED',
  },
  {
    rule: 'one that lives for 24 hours is taken where two must sign',
    change: { expiresAt: minutes(24 * 60) },
    by: [ada, bob],
    threshold: 2,
    at: minutes(23 * 60),
    code: null,
  },
  {
    rule: 'one that sets the threshold to 2 is refused with one signature',
    change: { op: 'threshold.set', args: { threshold: 2 } },
    code: 'QUORUM_NOT_MET',
  },
  {
    rule: 'one that sets the threshold to 1 where it is 2 is refused with one signature',
    change: { op: 'threshold.set', args: { threshold: 1 } },
    threshold: 2,
    code: 'QUORUM_NOT_MET',
  },
  {
    rule: 'one that sets the threshold to 2 is taken with two signatures',
    change: { op: 'threshold.set', args: { threshold: 2 } },
    by: [ada, bob],
    code: null,
  },
  // the order: what is wrong first is said
  { rule: 'target before freshness', change: { instance: randomUUID() }, at: minutes(9), code: 'COMMAND_TARGET' },
  { rule: 'freshness before signatures', by: [eve], at: minutes(9), code: 'COMMAND_EXPIRED' },
  { rule: 'signatures before quorum', by: [eve], threshold: 2, code: 'SIGNATURE_INVALID' },
  { rule: 'quorum before counter', change: elsewhere({ counter: 9 }), threshold: 2, code: 'QUORUM_NOT_MET' },
];

describe('of commands,', () => {
  it.each(cases)('$rule', ({ change, by = [ada], threshold = 1, at = minutes(1), code }) => {
    const command = parseCommand(signCommand({ ...payload, ...change }, by));
    const attempt = () => verifyCommand(command, { ...record, threshold }, new Date(at));
    if (code === null) expect(attempt()).toEqual(by.length === 2 ? ['ada', 'bob'] : ['ada']);
    else expect(attempt).toThrow(expect.objectContaining({ code }));
  });

  it('one with a changed payload byte is refused, whichever byte', () => {
    const document = JSON.parse(signCommand(payload, [ada])) as { payload: string };
    const bytes = Buffer.from(document.payload, 'base64url');
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ 1;
      const text = JSON.stringify({ ...document, payload: changed.toString('base64url') });
      expect(() => verifyCommand(parseCommand(text), record, now)).toThrow();
    }
  });
});

describe('a plan', () => {
  const command = parseCommand(signCommand(payload, [ada]));
  const known = { plan: payload.plan, digest: command.digest, receipt: 'r' };

  it('never seen has no answer yet', () => expect(answeredBefore([], command)).toBeUndefined());
  it('that is an intent has no answer yet', () => {
    expect(answeredBefore([{ ...known, receipt: null }], command)).toBeUndefined();
  });
  it('with the same payload is answered with the stored receipt', () => {
    expect(answeredBefore([known], command)).toBe('r');
  });
  it('with another payload is refused', () => {
    expect(() => answeredBefore([{ ...known, digest: hex(32) }], command)).toThrow(
      expect.objectContaining({ code: 'PLAN_REUSED' }),
    );
  });
});
