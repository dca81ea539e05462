import type { CommandArgs } from '../admins/command-args.js';
import { sealReceipt } from '../admins/receipt.js';
import { coveredHead, linkHash } from '../audit/audit-chain.js';
import type { UnitToken } from '../pkcs11/unit-token.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { remember, remembered, rememberedMark } from './audit-memory.js';
import { checkpointSigningInput } from './checkpoint.js';
import type { CryptoUnit } from './crypto-unit.js';
import { readAllFields } from './fields.js';
import type { Change, OpContext } from './op.js';
import { type AuditMark, isSameMark } from './protocol.js';
import { kidOf, type UnitRecord } from './unit-record.js';

const ROOT_BYTES = 32;

/**
 * Signs how far the audit log has come. Fields: size (decimal) and root of where the lines begin, then what the hash of
 * each line covers. The unit computes the hashes itself from its last checkpoint on, so what it signs follows on that:
 * a shorter log or another one is DATABASE_ROLLED_BACK. A unit without a checkpoint believes where it is told to begin.
 * The checkpoint is durable here before it is answered.
 */
export function signCheckpoint(unit: CryptoUnit, body: Buffer): Buffer {
  const { record, mark } = follow(unit, body);
  return Buffer.from(sign(unit.keeper.token(), unit, record, mark));
}

/** Goes over lines in the same way without signing: of many stretches only the last costs a signature and the disk's time. */
export function followLog(unit: CryptoUnit, body: Buffer): Buffer {
  const { record, mark } = follow(unit, body);
  unit.followed = { epoch: record.epoch, mark };
  return Buffer.alloc(0);
}

/** The place after the lines of the body, which begin where the unit is. */
function follow(unit: CryptoUnit, body: Buffer): { record: UnitRecord; mark: AuditMark } {
  const record = unit.record();
  needs(record, 'UNIT_STATE', 'a unit that nobody claimed signs no checkpoint');
  const [sizeText, root, ...lines] = readAllFields(body);
  const size = Number(sizeText?.toString('ascii'));
  const whole = Number.isSafeInteger(size) && String(size) === sizeText?.toString('ascii') && size >= 0;
  needs(whole && root?.length === ROOT_BYTES, 'BAD_REQUEST', 'a checkpoint begins with a size and a root of 32 bytes');
  const from = { size, root: root.toString('hex') };
  assertFollows(unit, record, from);
  return { record, mark: fold(from, lines) };
}

function assertFollows(unit: CryptoUnit, record: UnitRecord, from: AuditMark): void {
  const { followed } = unit;
  if (followed?.epoch === record.epoch && isSameMark(followed.mark, from)) return;
  const last = remembered(unit.dir, record);
  if (last === undefined || isSameMark(last, from)) return;
  throw new KeysteadError(
    'DATABASE_ROLLED_BACK',
    `unit ${record.unit} signed a checkpoint of ${last.size} lines, and this log does not follow on it; restore the newest database, or accept this one: kp restore accept`,
  );
}

/** The place after the lines, each of which must be the next. */
function fold(from: AuditMark, lines: readonly Buffer[]): AuditMark {
  let size = from.size;
  let root: Buffer = Buffer.from(from.root, 'hex');
  for (const line of lines) {
    size += 1;
    const head = coveredHead(size);
    needs(
      line.subarray(0, head.length).equals(head),
      'BAD_REQUEST',
      `this is not what the hash of line ${size} covers`,
    );
    root = linkHash(line, root);
  }
  return { size, root: root.toString('hex') };
}

/** Nothing but a checkpoint of this unit can come out. */
function sign(token: UnitToken, unit: CryptoUnit, record: UnitRecord, { size, root }: AuditMark): string {
  const { instance, unit: id, epoch, receiptKey } = record;
  const at = new Date().toISOString();
  const input = checkpointSigningInput({ v: 1, size, root, at, instance, unit: id, epoch }, kidOf(receiptKey.spki));
  const document = sealReceipt(input, token.signReceipt(Buffer.from(receiptKey.id, 'hex'), input));
  remember(unit.dir, record, document);
  unit.followed = undefined;
  return document;
}

/** The administrators take the log as it is now, shorter or another one: the unit goes on from there. */
export function acceptRestore({ unit, token, record }: OpContext, args: CommandArgs['restore.accept']): Change {
  const before = rememberedMark(unit.dir, record);
  const checkpoint = sign(token, unit, record, args);
  return { record: {}, facts: { before, checkpoint } };
}
