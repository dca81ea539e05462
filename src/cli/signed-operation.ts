import { randomUUID } from 'node:crypto';
import { signaturesNeeded } from '../admins/quorum.js';
import type { Receipt } from '../admins/receipt.js';
import { type CommandPayload, parseCommand, signCommand } from '../admins/signed-command.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { assertAllowed, type SignedOp, UNIT_STATES, type UnitState } from '../shared/unit-state.js';
import type { Api } from './api.js';
import type { Unit } from './api-shapes.js';
import type { Signer } from './auth.js';
import { type CliContext, withProgress } from './context.js';
import { warnOfExpiry } from './expiry.js';
import type { Outcome } from './outcome.js';
import { relay, verifiedReceipt } from './relay.js';
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
export type CommandArguments = Readonly<Record<string, unknown>>;

/** What is about to be signed. */
export interface Intent {
  readonly op: SignedOp;
  readonly args: CommandArguments;
  /** All signatures must be there now; if not, others add theirs later, or nothing is signed at all. */
  readonly complete: boolean;
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

/** Failures that concern the whole command, whichever unit met them first. */
const EVERYWHERE = new Set(['UNAUTHENTICATED', 'FORBIDDEN', 'SERVER_UNREACHABLE', 'UNIT_KEY_CHANGED', 'FILE_INVALID']);

/** Proves every target and checks what can be checked before a signature is spent on it. */
export async function prepare(
  ctx: CliContext,
  api: Api,
  targets: readonly Target[],
  intent: Intent,
  trust: Trust,
): Promise<Prepared> {
  const ready: ReadyUnit[] = [];
  const failed: Outcome[] = [];
  for (const { unit, signers } of targets) {
    try {
      assertAllowed(intent.op, knownState(unit));
      const proven = await proveUnit(ctx, api, unit, trust);
      assertSigners(proven, signers, intent);
      ready.push({ ...proven, signers, counter: proven.record.counter });
    } catch (error) {
      if (!(error instanceof KeysteadError) || EVERYWHERE.has(error.code)) throw error;
      failed.push({ unitId: unit.id, error });
    }
  }
  warnOfExpiry(ctx, ready);
  return { ready, failed };
}

/** The command for these units, good for so many milliseconds from now. */
export function payloadFor(
  units: readonly [ReadyUnit, ...ReadyUnit[]],
  { op, args }: Pick<Intent, 'op' | 'args'>,
  plan: string,
  issued: Date,
  lifetimeMs: number,
): CommandPayload {
  return {
    v: 1,
    op,
    instance: units[0].unit.instanceId,
    plan,
    units: units.map(({ unit, receipt, counter }) => ({
      id: unit.id,
      serial: receipt.serial,
      epoch: receipt.epoch,
      counter: counter + 1,
    })),
    args,
    issuedAt: issued.toISOString(),
    expiresAt: new Date(issued.getTime() + lifetimeMs).toISOString(),
  };
}

/** Signs, sends and verifies. `argsFor` is asked once for each document, with the ids of the units in it. */
export async function execute(
  ctx: CliContext,
  api: Api,
  ready: readonly ReadyUnit[],
  op: SignedOp,
  argsFor: (unitIds: readonly string[]) => CommandArguments,
): Promise<Executed> {
  const plan = randomUUID();
  if (ready.length === 0) return { plan, done: [], failed: [] };
  const issued = ctx.now();
  const documents = bySigners(ready).map((units) => {
    const args = argsFor(units.map(({ unit }) => unit.id));
    const payload = payloadFor(units, { op, args }, plan, issued, LIFETIME_MS);
    const keys = units[0].signers.map(({ key }) => key);
    const text = signCommand(payload, keys);
    return { text, digest: parseCommand(text).digest, units };
  });
  const sending = relay(
    ctx,
    api,
    plan,
    documents.map(({ text }) => text),
  );
  const operation = await withProgress(ctx, 'Waiting for the crypto units', sending);
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

/** The state that the server reports; any word we do not know is left for the unit to judge. */
function knownState(unit: Unit): UnitState {
  const state = UNIT_STATES.find((word) => word === unit.state);
  needs(state, 'UNIT_STATE', `crypto unit ${unit.id} is in a state that this kp does not know: ${unit.state}`);
  return state;
}

/** Says early, in words, what the unit would refuse: a signer it does not know, or too few of them. */
function assertSigners({ unit, record }: ProvenUnit, signers: readonly Signer[], intent: Intent): void {
  const stranger = signers.find(({ kid }) => !record.admins.some((admin) => admin.kid === kid));
  const there = record.admins.map(({ name }) => name).join(', ');
  needs(
    !stranger,
    'SIGNATURE_INVALID',
    `the key in ${stranger?.reference.file} is not of an administrator of crypto unit ${unit.id}, whose administrators are: ${there}`,
  );
  const needed = signaturesNeeded(intent, record);
  needs(
    signers.length >= needed || !intent.complete,
    'QUORUM_NOT_MET',
    `crypto unit ${unit.id} needs the signatures of ${needed} administrators; add them to --auth, or write the command to a file for the others: --sign-only FILE`,
  );
}
