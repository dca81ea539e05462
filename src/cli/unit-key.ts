import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { type Receipt, readReceipt } from '../admins/receipt.js';
import { fromBase64, sha256 } from '../shared/bytes.js';
import { KeysteadError, needs } from '../shared/errors.js';
import type { FactsAnswer, RecordFacts } from '../unit-agent/protocol.js';
import type { Api } from './api.js';
import type { Unit } from './api-shapes.js';
import { type CliContext, CommandFailure, notice } from './context.js';
import type { KnownUnits } from './known-units.js';

/**
 * Believing a unit. The server only carries messages; what a unit says counts when it is signed by the receipt key
 * that was made in its token at claim, and that key counts when this person has seen it before (known-units.ts),
 * has compared it (--unit-key) or says so now at the terminal.
 */
export interface Trust {
  readonly known: KnownUnits;
  /** Fingerprints that the person gave with --unit-key. */
  readonly compared: readonly string[];
}

/** The refusal of a unit whose receipt key nobody has compared; carries the key for the command to run next. */
export class UnitKeyUnknown extends CommandFailure {
  constructor(
    unitId: string,
    readonly fingerprint: string,
  ) {
    super(
      'UNIT_KEY_UNKNOWN',
      `the receipt key of crypto unit ${unitId} is not known here: ${fingerprint}; compare it with the log of the unit's agent, then run the command again with --unit-key ${fingerprint}`,
    );
  }
}

/** A unit whose receipt key is trusted, and what it signed about itself just now. */
export interface ProvenUnit {
  readonly unit: Unit;
  readonly spki: Buffer;
  readonly receipt: Receipt;
  /** The receipt as the unit signed it, JWS compact. */
  readonly text: string;
  readonly record: RecordFacts;
}

const AdminFacts = z.looseObject({ name: z.string(), kid: z.string() });
const UnitRecord = z.looseObject({
  instance: z.string(),
  epoch: z.string(),
  counter: z.number(),
  threshold: z.number(),
  admins: z.array(AdminFacts),
  kmsUser: AdminFacts.nullable(),
  masterKey: z
    .looseObject({
      mkId: z.string(),
      name: z.string(),
      t: z.number(),
      n: z.number(),
      mkvp: z.string(),
      createdAt: z.string(),
    })
    .nullable(),
});

/** The unit's facts under a fresh nonce, verified under a trusted key. UNIT_KEY_UNKNOWN, UNIT_KEY_CHANGED, RECEIPT_INVALID. */
export async function proveUnit(ctx: CliContext, api: Api, unit: Unit, trust: Trust): Promise<ProvenUnit> {
  const { answer, nonce, spki } = await askUnit(api, unit);
  await trustKey(ctx, unit, spki, answer, trust);
  return proof(unit, answer, nonce, spki);
}

/** The same for reading commands: an unknown key is said to be unknown instead of refused; a changed one is refused. */
export async function readUnit(
  ctx: CliContext,
  api: Api,
  unit: Unit,
  known: KnownUnits,
  capabilities = false,
): Promise<ProvenUnit & { readonly pinned: boolean }> {
  const { answer, nonce, spki } = await askUnit(api, unit, capabilities);
  const pin = await known.find(unit.id);
  if (pin && pin.fingerprint !== fingerprint(spki) && !wasZeroized(answer, unit, pin.spki)) {
    throw keyChanged(unit, pin.fingerprint, fingerprint(spki));
  }
  const pinned = pin?.fingerprint === fingerprint(spki);
  if (!pinned) {
    notice(
      ctx,
      `CryptoUnit ${unit.id}: its receipt key ${fingerprint(spki)} is not known here, so this may come from the server.`,
    );
  }
  return { ...proof(unit, answer, nonce, spki), pinned };
}

/** The receipt key that the unit shows after a claim; null when it shows none. */
export async function shownKey(
  api: Api,
  unitId: string,
  capabilities = false,
): Promise<{ answer: FactsAnswer; nonce: string; spki: Buffer | null }> {
  const nonce = randomBytes(24).toString('base64url');
  const answer = await api.facts(unitId, nonce, capabilities);
  const shown = answer.facts.receiptKey;
  const spki = shown ? fromBase64(shown.spki, `the receipt key of crypto unit ${unitId}`) : null;
  needs(
    !spki || fingerprint(spki) === shown?.fingerprint,
    'RECEIPT_INVALID',
    `the receipt key of crypto unit ${unitId} does not have the fingerprint shown beside it`,
  );
  return { answer, nonce, spki };
}

async function askUnit(
  api: Api,
  unit: Unit,
  capabilities = false,
): Promise<{ answer: FactsAnswer; nonce: string; spki: Buffer }> {
  const { answer, nonce, spki } = await shownKey(api, unit.id, capabilities);
  const { problem } = answer.facts.token;
  if (problem) throw new KeysteadError(problem.code, problem.message);
  if (spki) return { answer, nonce, spki };
  throw new CommandFailure(
    'UNIT_STATE',
    `crypto unit ${unit.id} has no receipt key, as before a claim`,
    'kp crypto-units',
  );
}

/** SHA-256 of the SPKI, hex: what people compare. */
export const fingerprint = (spki: Buffer) => sha256(spki).toString('hex');

async function trustKey(ctx: CliContext, unit: Unit, spki: Buffer, answer: FactsAnswer, trust: Trust): Promise<void> {
  const shown = fingerprint(spki);
  const pin = await trust.known.find(unit.id);
  if (pin?.fingerprint === shown) return;
  const changed = pin && !trust.compared.includes(shown) && !wasZeroized(answer, unit, pin.spki);
  if (changed) throw keyChanged(unit, pin.fingerprint, shown);
  await trustNewKey(ctx, unit, spki, trust);
}

/** Remembers a receipt key that the person has compared, or compares now. UNIT_KEY_UNKNOWN when nobody has. */
export async function trustNewKey(
  ctx: CliContext,
  unit: { readonly id: string; readonly instanceId: string },
  spki: Buffer,
  trust: Trust,
): Promise<void> {
  const shown = fingerprint(spki);
  if (trust.compared.includes(shown)) return trust.known.remember(unit.id, unit.instanceId, spki, shown);
  if (!ctx.terminal) throw new UnitKeyUnknown(unit.id, shown);
  const answered = await ctx.terminal.ask(
    `The receipt key of crypto unit ${unit.id} is not known here:\n  ${shown}\nThe log of the unit's agent shows it too. Are they the same (yes/no)? `,
  );
  needs(
    answered.toLowerCase() === 'yes',
    'UNIT_KEY_UNKNOWN',
    `the receipt key of crypto unit ${unit.id} was not confirmed`,
  );
  await trust.known.remember(unit.id, unit.instanceId, spki, shown);
}

/** The refusal for a unit whose receipt key is not the one that was seen before. */
export function keyChanged(unit: { readonly id: string }, before: string, now: string): CommandFailure {
  return new CommandFailure(
    'UNIT_KEY_CHANGED',
    `crypto unit ${unit.id} shows the receipt key ${now}, and here it is known with ${before}: somebody may stand between you and the unit. If it was zeroized and claimed again, compare the new key with the log of the unit's agent and give it with --unit-key`,
  );
}

/** Whether the unit shows a receipt, under the key known here, that it was zeroized: then a new key is to be expected. */
export function wasZeroized(answer: FactsAnswer, unit: { readonly id: string }, knownSpki: string): boolean {
  const shown = answer.facts.zeroized;
  if (!shown) return false;
  try {
    const receipt = readReceipt(shown.receipt, Buffer.from(knownSpki, 'base64'));
    return receipt.op === 'zeroize' && receipt.outcome === 'ok' && receipt.unit === unit.id;
  } catch (cause) {
    if (cause instanceof KeysteadError && cause.code === 'RECEIPT_INVALID') return false;
    throw cause;
  }
}

function proof(unit: Unit, answer: FactsAnswer, nonce: string, spki: Buffer): ProvenUnit {
  needs(answer.receipt, 'RECEIPT_INVALID', `the facts of crypto unit ${unit.id} came unsigned`);
  const receipt = readReceipt(answer.receipt, spki);
  const fits = receipt.op === 'facts' && receipt.nonce === nonce && receipt.unit === unit.id;
  needs(fits, 'RECEIPT_INVALID', `the facts of crypto unit ${unit.id} are not the answer to this question`);
  needs(
    receipt.instance === unit.instanceId,
    'RECEIPT_INVALID',
    `crypto unit ${unit.id} says that it belongs to instance ${receipt.instance}, the server says ${unit.instanceId}`,
  );
  return { unit, spki, receipt, text: answer.receipt, record: recordOf(receipt) };
}

/** What the unit record says, out of a receipt. RECEIPT_INVALID when it is not there. */
export function recordOf(receipt: Receipt): RecordFacts {
  const record = UnitRecord.safeParse(receipt.facts);
  needs(
    record.success,
    'RECEIPT_INVALID',
    `the receipt of crypto unit ${receipt.unit} does not hold the unit's record`,
  );
  return record.data as unknown as RecordFacts;
}
