import { readReceipt } from '../admins/receipt.js';
import type { CryptoUnit } from '../instances/crypto-unit.entity.js';
import type { UnitFacts } from '../unit-agent/protocol.js';

export type Marks = Pick<CryptoUnit, 'serial' | 'claimedEpoch' | 'receiptKey' | 'lastRecord'>;
type MarkedUnit = Marks & Pick<CryptoUnit, 'id' | 'seenAt'>;

/**
 * What the database should note after a unit told its facts, or undefined when it has that already.
 * The token is believed in three cases only: a serial when none was known, a claim when none was marked (the server
 * died between the two), and a zeroization whose receipt the unit's known receipt key signed. Anything else that
 * differs is a finding for the conditions, not something to write over.
 */
export function marksAfter(unit: MarkedUnit, facts: UnitFacts): Marks | undefined {
  if (unit.seenAt !== null && new Date(facts.at) <= unit.seenAt) return undefined; // overtaken by later facts
  const base = wasZeroized(unit, facts)
    ? { serial: facts.token.serial, claimedEpoch: null, receiptKey: null, lastRecord: null }
    : {
        serial: unit.serial,
        claimedEpoch: unit.claimedEpoch,
        receiptKey: unit.receiptKey,
        lastRecord: unit.lastRecord,
      };
  const next = withRecord({ ...base, serial: base.serial ?? facts.token.serial }, facts);
  return same(unit, next) ? undefined : next;
}

/** A row that was just read, with the marks of the known one where those were noted after the reading began. */
export function withNewerMarks<Row extends MarkedUnit>(read: Row, known: Row): Row {
  if (known.seenAt === null || (read.seenAt !== null && read.seenAt >= known.seenAt)) return read;
  const { serial, claimedEpoch, receiptKey, lastRecord, seenAt } = known;
  return { ...read, serial, claimedEpoch, receiptKey, lastRecord, seenAt };
}

function withRecord(marks: Marks, facts: UnitFacts): Marks {
  const { record, receiptKey, token } = facts;
  if (record === null || receiptKey === null || token.serial !== marks.serial) return marks;
  if (marks.claimedEpoch !== null && marks.claimedEpoch !== record.epoch) return marks;
  if (marks.lastRecord?.epoch === record.epoch && marks.lastRecord.counter > record.counter) return marks;
  return {
    serial: marks.serial,
    claimedEpoch: record.epoch,
    receiptKey: marks.receiptKey ?? Buffer.from(receiptKey.spki, 'base64url'),
    lastRecord: record,
  };
}

function wasZeroized(unit: MarkedUnit, { zeroized, token, record }: UnitFacts): boolean {
  if (zeroized === null || unit.claimedEpoch === null || unit.receiptKey === null) return false;
  if (!token.present || (record !== null && record.epoch === unit.claimedEpoch)) return false;
  if (zeroized.epoch !== unit.claimedEpoch || zeroized.serial !== unit.serial) return false;
  const receipt = readReceipt(zeroized.receipt, unit.receiptKey);
  return (
    receipt.op === 'zeroize' &&
    receipt.outcome === 'ok' &&
    receipt.unit === unit.id &&
    receipt.epoch === unit.claimedEpoch &&
    receipt.serial === unit.serial
  );
}

function same(a: Marks, b: Marks): boolean {
  return (
    a.serial === b.serial &&
    a.claimedEpoch === b.claimedEpoch &&
    (a.receiptKey?.toString('hex') ?? null) === (b.receiptKey?.toString('hex') ?? null) &&
    canonical(a.lastRecord) === canonical(b.lastRecord)
  );
}

/** PostgreSQL's jsonb gives members back in its own order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, member) =>
    member !== null && typeof member === 'object' && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}
