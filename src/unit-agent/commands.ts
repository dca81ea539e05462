import { type CommandArgs, readArgs } from '../admins/command-args.js';
import { type ParsedCommand, parseCommand } from '../admins/signed-command.js';
import { type ErrorCode, KeysteadError, messageOf } from '../shared/errors.js';
import { assertAllowed, type SignedOp } from '../shared/unit-state.js';
import { acceptRestore } from './audit-ops.js';
import type { CryptoUnit } from './crypto-unit.js';
import { refusalOf, stateByRecord } from './facts.js';
import { importMasterKey } from './mk-import.js';
import { makeImporter, randomForMasterKey } from './mk-material.js';
import type { Change, OpContext } from './op.js';
import type { ReceiptAnswer, Refusal } from './protocol.js';
import { signReceipt } from './receipts.js';
import { PLANS_KEPT, recordFacts, type UnitRecord } from './unit-record.js';
import { addUser, removeUser, setThreshold } from './users.js';
import { answeredBefore, verifyCommand } from './verification.js';
import { zeroizeByCommand } from './zeroize.js';
import { lastZeroize } from './zeroize-journal.js';

type RecordedOp = Exclude<SignedOp, 'zeroize'>;
const OPS: { readonly [Op in RecordedOp]: (context: OpContext, args: CommandArgs[Op]) => Change | Promise<Change> } = {
  'mk.random': randomForMasterKey,
  'mk.importer': makeImporter,
  'mk.import': importMasterKey,
  'user.add': addUser,
  'user.remove': removeUser,
  'threshold.set': setThreshold,
  'restore.accept': acceptRestore,
};

/** Refusals that may be the token's fault. */
const FAULTS: readonly ErrorCode[] = ['TOKEN_LOST', 'UNIT_FAULT'];

/**
 * Does what administrators signed, or refuses it. A refusal before the counter is consumed is thrown; after that it is a
 * receipt. The same command again is answered with the same receipt. One command at a time: the caller queues them.
 */
export async function obey(unit: CryptoUnit, document: string): Promise<ReceiptAnswer> {
  const command = parseCommand(document);
  const { op, plan } = command.payload;
  unit.settle();
  const record = unit.record();
  if (!record) return { receipt: afterZeroize(unit, command) };
  const stored = answeredBefore(record.plans, command);
  if (stored !== undefined) return { receipt: stored };
  const signers = verifyCommand(command, record, new Date());
  unit.log.info({ event: 'command', op, plan, signers });
  try {
    if (op === 'zeroize') return { receipt: zeroizeByCommand(unit, record, command) };
    return { receipt: await act(unit, record, op, command) };
  } catch (cause) {
    unit.log.error({ event: 'command-failed', op, plan, message: messageOf(cause) });
    unit.keeper.suspect();
    throw cause;
  }
}

/** A reserved unit takes no command; but a zeroize that was done is answered again. */
function afterZeroize(unit: CryptoUnit, command: ParsedCommand): string {
  const { plan, digest, receipt } = lastZeroize(unit.dir) ?? {};
  const zeroized = plan && digest && receipt ? [{ plan, digest, receipt }] : [];
  const stored = answeredBefore(zeroized, command);
  if (stored === undefined) assertAllowed(command.payload.op, 'reserved');
  return stored ?? '';
}

/** Intent → act → record with the result → sweep; the receipt. */
async function act(unit: CryptoUnit, before: UnitRecord, op: RecordedOp, command: ParsedCommand): Promise<string> {
  const token = unit.keeper.token();
  const journal = unit.journal();
  const { plan } = command.payload;
  const mine = { plan, digest: command.digest, op, counter: before.counter + 1, receipt: null };
  const others = before.plans.slice(1 - PLANS_KEPT);
  const intent = commit(unit, { ...before, counter: mine.counter, plans: [...others, mine] });
  const { change, error } = await attempt({ unit, token, record: intent }, op, command);
  if (error && FAULTS.includes(error.code)) unit.keeper.suspect();
  const after = { ...intent, ...change.record };
  const receipt = signReceipt(token, after, {
    plan,
    nonce: null,
    digest: command.digest,
    op,
    outcome: error ? 'refused' : 'ok',
    error,
    facts: change.facts ?? { ...recordFacts(after) },
  });
  commit(unit, { ...after, plans: [...others, { ...mine, receipt }] });
  change.committed?.();
  try {
    journal.sweep();
  } catch (cause) {
    unit.log.warn({ event: 'sweep-failed', message: messageOf(cause) });
    unit.keeper.suspect(); // the next open sweeps; the command itself is done
  }
  return receipt;
}

async function attempt(
  context: OpContext,
  op: RecordedOp,
  command: ParsedCommand,
): Promise<{ change: Change; error: Refusal | null }> {
  try {
    assertAllowed(op, stateByRecord(context.record));
    const run = OPS[op] as (context: OpContext, args: unknown) => Change | Promise<Change>;
    return { change: await run(context, readArgs(op, command.payload.args)), error: null };
  } catch (cause) {
    return { change: { record: {} }, error: refusalOf(cause) };
  }
}

/** A commit that fails may or may not be on the token: what is there decides, and settles it. */
function commit(unit: CryptoUnit, next: Omit<UnitRecord, 'seq'>): UnitRecord {
  try {
    return unit.journal().commit(next);
  } catch (cause) {
    try {
      unit.reload();
    } catch (second) {
      unit.log.error({ event: 'reload-failed', message: messageOf(second) });
    }
    throw cause instanceof KeysteadError ? cause : new KeysteadError('UNIT_FAULT', messageOf(cause), { cause });
  }
}
