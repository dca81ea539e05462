import { KeysteadError } from '../shared/errors.js';
import type { RecordFacts } from '../unit-agent/protocol.js';
import { readUnits } from './auth.js';
import { type CliContext, CommandFailure, notice } from './context.js';
import { KnownUnits } from './known-units.js';
import type { CommonOptions } from './options.js';
import { openInstance, pickUnits } from './target.js';
import { readUnit } from './unit-key.js';

/** What one unit says of itself, signed; `record` is null for a unit that nobody claimed, and when it did not answer. */
export interface Reading {
  readonly unit: string;
  readonly state: string;
  /** Whether the signature is by a key that is known here; if not, the server may have made it up. */
  readonly receiptKeyKnown: boolean;
  readonly record: RecordFacts | null;
  readonly error: KeysteadError | null;
}
export interface ReadingOptions extends CommonOptions {
  readonly cu?: string;
}

/** Asks the units of the instance, or those of --cu; one that does not answer is said on stderr and does not stop the others. */
export async function readRecords(ctx: CliContext, options: ReadingOptions): Promise<Reading[]> {
  const only = options.cu === undefined ? null : (await readUnits(options.cu)).map(({ id }) => id);
  const api = await openInstance(ctx, options);
  const known = new KnownUnits(ctx);
  const readings: Reading[] = [];
  for (const unit of pickUnits(await api.units(), only)) {
    const blank = { unit: unit.id, state: unit.state, receiptKeyKnown: false, record: null, error: null };
    if (unit.state === 'reserved') {
      readings.push(blank);
      continue;
    }
    try {
      const { record, pinned } = await readUnit(ctx, api, unit, known);
      readings.push({ ...blank, receiptKeyKnown: pinned, record });
    } catch (error) {
      if (!(error instanceof KeysteadError) || error.code === 'UNIT_KEY_CHANGED') throw error;
      notice(ctx, `CryptoUnit ${unit.id}: ${error.message}`);
      readings.push({ ...blank, error });
    }
  }
  return readings;
}

/** Throws when a unit did not answer: its own error when none did, else PARTIAL_FAILURE. */
export function assertAllRead(readings: readonly Reading[]): void {
  const failed = readings.flatMap(({ error }) => error ?? []);
  const [first] = failed;
  if (!first) return;
  if (failed.length === readings.length) throw new CommandFailure(first.code, first.message, 'kp crypto-units');
  throw new CommandFailure(
    'PARTIAL_FAILURE',
    `${failed.length} of ${readings.length} crypto units did not answer`,
    'kp crypto-units',
  );
}

/** The members of a reading that every JSON result has. */
export function readingJson({ unit, state, receiptKeyKnown, error }: Reading): object {
  return { unit, state, receiptKeyKnown, ...(error && { error: { code: error.code, message: error.message } }) };
}
