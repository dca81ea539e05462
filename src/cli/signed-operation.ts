import { randomUUID } from 'node:crypto';
import { type Receipt, readReceipt } from '../admins/receipt.js';
import { parseCommand, signCommand } from '../admins/signed-command.js';
import { isErrorCode, KeysteadError, needs } from '../shared/errors.js';
import { assertAllowed, type SignedOp, UNIT_STATES, type UnitState } from '../shared/unit-state.js';
import type { Api } from './api.js';
import type { Operation, Unit } from './api-shapes.js';
import type { Signer } from './auth.js';
import { type CliContext, CommandFailure, withProgress } from './context.js';
import type { Outcome } from './outcome.js';
import { type ProvenUnit, proveUnit, type Trust } from './unit-key.js';

/**
 * A signed command on several units, in three steps:
 *  1. prepare: each unit proves its serial, epoch and counter under its trusted receipt key;
 *  2. execute: units with the same signers share one document, all documents share one plan, the server relays them;
 *  3. each unit's receipt is verified against exactly what was signed for it; the server's word alone counts for nothing.
 */
export interface Target {
  readonly unit: Unit;
  readonly signers: readonly Signer[];
}
export interface ReadyUnit extends ProvenUnit {
  readonly signers: readonly Signer[];
  /** The last command counter that the unit is known to have used. */
  readonly counter: number;
}
export interface Prepared {
  readonly ready: ReadyUnit[];
  readonly failed: Outcome[];
}
export interface Executed {
  readonly plan: string;
  readonly done: { readonly ready: ReadyUnit; readonly receipt: Receipt }[];
  readonly failed: Outcome[];
}

const LIFETIME_MS = 5 * 60_000;
const PENDING_PATIENCE_MS = 60_000;
const PENDING_POLL_MS = 500;

/** Failures that concern the whole command, whichever unit met them first. */
const EVERYWHERE = new Set(['UNAUTHENTICATED', 'FORBIDDEN', 'SERVER_UNREACHABLE', 'UNIT_KEY_CHANGED', 'FILE_INVALID']);

/** Proves every target and checks what can be checked before a signature is spent on it. */
export async function prepare(
  ctx: CliContext,
  api: Api,
  targets: readonly Target[],
  op: SignedOp,
  trust: Trust,
): Promise<Prepared> {
  const ready: ReadyUnit[] = [];
  const failed: Outcome[] = [];
  for (const { unit, signers } of targets) {
    try {
      assertAllowed(op, knownState(unit));
      const proven = await proveUnit(ctx, api, unit, trust);
      assertSigners(proven, signers);
      ready.push({ ...proven, signers, counter: proven.record.counter });
    } catch (error) {
      if (!(error instanceof KeysteadError) || EVERYWHERE.has(error.code)) throw error;
      failed.push({ unitId: unit.id, error });
    }
  }
  return { ready, failed };
}

/** Signs, sends and verifies. `argsFor` is asked once for each document, with the ids of the units in it. */
export async function execute(
  ctx: CliContext,
  api: Api,
  ready: readonly ReadyUnit[],
  op: SignedOp,
  argsFor: (unitIds: readonly string[]) => Readonly<Record<string, unknown>>,
): Promise<Executed> {
  const plan = randomUUID();
  if (ready.length === 0) return { plan, done: [], failed: [] };
  const issued = ctx.now();
  const documents = bySigners(ready).map((units) => {
    const payload = {
      v: 1 as const,
      op,
      instance: units[0].unit.instanceId,
      plan,
      units: units.map(({ unit, receipt, counter }) => ({
        id: unit.id,
        serial: receipt.serial,
        epoch: receipt.epoch,
        counter: counter + 1,
      })),
      args: argsFor(units.map(({ unit }) => unit.id)),
      issuedAt: issued.toISOString(),
      expiresAt: new Date(issued.getTime() + LIFETIME_MS).toISOString(),
    };
    const keys = units[0].signers.map(({ key }) => key);
    const text = signCommand(payload, keys);
    return { text, digest: parseCommand(text).digest, units };
  });
  const operation = await withProgress(ctx, 'Waiting for the crypto units', relay(ctx, api, plan, documents));
  const done: Executed['done'] = [];
  const failed: Outcome[] = [];
  for (const { digest, units } of documents) {
    for (const one of units) {
      try {
        const receipt = verifiedReceipt(operation, one, { op, plan, digest });
        done.push({ ready: { ...one, counter: receipt.counter }, receipt });
      } catch (error) {
        if (!(error instanceof KeysteadError)) throw error;
        failed.push({ unitId: one.unit.id, error });
      }
    }
  }
  return { plan, done, failed };
}

type Some<T> = [T, ...T[]];

/** Groups of units that the same keys sign for; a signer's name does not matter. */
function bySigners(ready: readonly ReadyUnit[]): Some<ReadyUnit>[] {
  const groups = new Map<string, Some<ReadyUnit>>();
  for (const one of ready) {
    const key = one.signers
      .map(({ kid }) => kid)
      .sort()
      .join();
    const group = groups.get(key);
    if (group) group.push(one);
    else groups.set(key, [one]);
  }
  return [...groups.values()];
}

async function relay(
  ctx: CliContext,
  api: Api,
  plan: string,
  documents: readonly { readonly text: string }[],
): Promise<Operation> {
  try {
    let operation = await api.operate(documents.map(({ text }) => text));
    const deadline = Date.now() + PENDING_PATIENCE_MS;
    while (operation.units.some(({ outcome }) => outcome === 'pending') && Date.now() < deadline) {
      await ctx.wait(PENDING_POLL_MS);
      operation = await api.operation(operation.id);
    }
    return operation;
  } catch (cause) {
    if (!(cause instanceof KeysteadError) || cause.code !== 'SERVER_UNREACHABLE') throw cause;
    throw new CommandFailure(
      'SERVER_UNREACHABLE',
      `${cause.message}. The command may have reached the units: look before you repeat it`,
      `kp operation show ${plan}`,
      { cause },
    );
  }
}

/** The unit's own word that it did what was signed. Throws its refusal, or RECEIPT_INVALID. */
function verifiedReceipt(
  operation: Operation,
  { unit, spki, receipt: proof, counter }: ReadyUnit,
  signed: { readonly op: SignedOp; readonly plan: string; readonly digest: string },
): Receipt {
  const answer = operation.units.find(({ id }) => id === unit.id);
  if (!answer?.receipt) throw unsigned(answer, unit);
  const receipt = readReceipt(answer.receipt, spki);
  const fits =
    receipt.op === signed.op &&
    receipt.plan === signed.plan &&
    receipt.digest === signed.digest &&
    receipt.unit === unit.id &&
    receipt.instance === unit.instanceId &&
    receipt.serial === proof.serial &&
    receipt.epoch === proof.epoch;
  needs(
    fits,
    'RECEIPT_INVALID',
    `the receipt of crypto unit ${unit.id} is for another command than the one signed now`,
  );
  if (receipt.error) throw new KeysteadError(receipt.error.code, receipt.error.message);
  needs(
    receipt.counter === counter + 1,
    'RECEIPT_INVALID',
    `the receipt of crypto unit ${unit.id} counts ${receipt.counter}, and the command was number ${counter + 1}`,
  );
  return receipt;
}

/** Why there is no receipt, as the server tells it. */
function unsigned(answer: Operation['units'][number] | undefined, unit: Unit): KeysteadError {
  if (answer?.outcome === 'pending') {
    return new KeysteadError('UNIT_UNREACHABLE', `crypto unit ${unit.id} has not answered yet; the operation goes on`);
  }
  if (answer?.error) {
    const { code, message } = answer.error;
    return new KeysteadError(isErrorCode(code) ? code : 'INTERNAL', message);
  }
  return new KeysteadError('RECEIPT_INVALID', `the server gave no receipt of crypto unit ${unit.id}`);
}

/** The state that the server reports; any word we do not know is left for the unit to judge. */
function knownState(unit: Unit): UnitState {
  const state = UNIT_STATES.find((word) => word === unit.state);
  needs(state, 'UNIT_STATE', `crypto unit ${unit.id} is in a state that this kp does not know: ${unit.state}`);
  return state;
}

/** Says early, in words, what the unit would refuse: a signer it does not know, or too few of them. */
function assertSigners({ unit, record }: ProvenUnit, signers: readonly Signer[]): void {
  const stranger = signers.find(({ kid }) => !record.admins.some((admin) => admin.kid === kid));
  const there = record.admins.map(({ name }) => name).join(', ');
  needs(
    !stranger,
    'SIGNATURE_INVALID',
    `the key in ${stranger?.reference.file} is not of an administrator of crypto unit ${unit.id}, whose administrators are: ${there}`,
  );
  needs(
    signers.length >= record.threshold,
    'QUORUM_NOT_MET',
    `crypto unit ${unit.id} needs the signatures of ${record.threshold} administrators; add them to --auth`,
  );
}
