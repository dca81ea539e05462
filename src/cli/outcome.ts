import type { Receipt } from '../admins/receipt.js';
import type { KeysteadError } from '../shared/errors.js';
import { type CliContext, CommandFailure, notice, printResult } from './context.js';
import { UnitKeyUnknown } from './unit-key.js';

/** What became of an operation on one unit: a verified receipt, or why there is none that says ok. */
export type Outcome =
  | { readonly unitId: string; readonly receipt: Receipt }
  | { readonly unitId: string; readonly error: KeysteadError };

export type Retry = (unitIds: readonly string[], unitKeys: readonly string[]) => string;

export interface Report {
  /** IBM's name of the operation, as in "Executing operation Claim against CryptoUnit with ID …". */
  readonly label: string;
  readonly outcomes: readonly Outcome[];
  /** The command that does the same on these units alone, with these receipt keys as compared ones. */
  readonly retry: Retry;
  /** Members added to each unit, and to the whole, of the JSON result. */
  readonly perUnit?: (unitId: string) => object;
  readonly extra?: object;
  /** Said after the lines of the units, to people only, when any unit is done. */
  readonly epilogue?: readonly string[];
}

/**
 * Prints IBM's two lines for each unit, and the sentences of those that failed on stderr. Throws PARTIAL_FAILURE with
 * the retry when some failed; when all did, the first one's own error.
 */
export function report(ctx: CliContext, { label, outcomes, retry, perUnit, extra, epilogue }: Report): void {
  const failures = outcomes.filter((outcome) => 'error' in outcome);
  const units = outcomes.map((outcome) => ({
    id: outcome.unitId,
    outcome: 'error' in outcome ? 'failed' : 'ok',
    ...('error' in outcome && { error: { code: outcome.error.code, message: outcome.error.message } }),
    ...perUnit?.(outcome.unitId),
  }));
  const lines = outcomes.flatMap((outcome) => [
    `Executing operation ${label} against CryptoUnit with ID ${outcome.unitId}`,
    'error' in outcome ? 'FAILED' : 'OK',
  ]);
  if (failures.length < outcomes.length) lines.push(...(epilogue ?? []));
  printResult(ctx, { operation: label, units, ...extra }, () => lines.join('\n'));

  const [first] = failures;
  if (!first) return;
  const keys = failures.flatMap(({ error }) => (error instanceof UnitKeyUnknown ? [error.fingerprint] : []));
  const again = retry(
    failures.map(({ unitId }) => unitId),
    keys,
  );
  if (outcomes.length > 1) {
    for (const { unitId, error } of failures) notice(ctx, `CryptoUnit ${unitId}: ${error.message}`);
  }
  if (failures.length === outcomes.length) {
    const next = first.error instanceof CommandFailure ? first.error.next : undefined;
    throw new CommandFailure(first.error.code, first.error.message, next ?? again, { cause: first.error });
  }
  const count = `${failures.length} of ${outcomes.length} crypto units failed`;
  throw new CommandFailure('PARTIAL_FAILURE', `${count}; the others are done. Run this for those that failed`, again);
}
