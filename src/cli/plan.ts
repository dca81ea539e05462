import { signaturesNeeded } from '../admins/quorum.js';
import { KeysteadError } from '../shared/errors.js';
import type { SignedOp } from '../shared/unit-state.js';
import { foreseen, LABELS, wordsFor } from './command-words.js';
import { type CliContext, CommandFailure, notice, printResult } from './context.js';
import type { Outcome } from './outcome.js';
import type { CommandArguments, Prepared, ReadyUnit } from './signed-operation.js';
import type { Signing } from './signing.js';

/** What would become of one unit: what is done, or why it would be refused. */
export interface Planned {
  readonly unitId: string;
  readonly state: string;
  readonly does: readonly string[];
  readonly error: KeysteadError | null;
  readonly signatures?: { readonly there: readonly string[]; readonly needed: number };
}

/** Shows what a command would do; nothing is sent. Throws as the command itself would when units would refuse it. */
export function printPlan(
  ctx: CliContext,
  label: string,
  planned: readonly Planned[],
  after: readonly string[] = [],
): void {
  const units = planned.map(({ unitId, state, does, error, signatures }) => ({
    id: unitId,
    state,
    outcome: error ? 'refused' : 'planned',
    does,
    ...(signatures && { signatures }),
    ...(error && { error: { code: error.code, message: error.message } }),
  }));
  const lines = planned.flatMap(({ unitId, state, does, error, signatures }) => [
    `CryptoUnit ${unitId}, ${state}`,
    ...(error ? [`  would refuse it: ${error.message}`] : does.map((sentence) => `  ${sentence}`)),
    ...(signatures ? [`  signed by ${signatures.there.join(', ') || 'nobody yet'}; needed: ${signatures.needed}`] : []),
  ]);
  printResult(ctx, { operation: label, sent: false, units }, () =>
    [`Nothing is sent. The operation ${label} would do this:`, ...lines, ...after].join('\n'),
  );
  const refused = planned.flatMap(({ error }) => error ?? []);
  const [first] = refused;
  if (!first) return;
  if (refused.length === planned.length) throw first;
  const message = `${refused.length} of ${planned.length} crypto units would refuse it`;
  throw new CommandFailure('PARTIAL_FAILURE', message, 'kp crypto-units diff');
}

/** The plan of a signed command whose args are known. */
export function planOf(
  signing: Signing,
  op: SignedOp,
  args: CommandArguments,
  prepared: Prepared,
  does = (one: ReadyUnit): (string | undefined)[] => [wordsFor(op, args), foreseen(op, args, one.record)],
): Planned[] {
  return signing.targets.flatMap(({ unit }) => {
    const failed = prepared.failed.find((outcome: Outcome) => outcome.unitId === unit.id);
    const one = prepared.ready.find((ready) => ready.unit.id === unit.id);
    const about = { unitId: unit.id, state: unit.state };
    if (failed && 'error' in failed) return { ...about, does: [], error: failed.error };
    if (!one) return [];
    const there = one.signers.map(
      ({ kid, name }) => one.record.admins.find((admin) => admin.kid === kid)?.name ?? name,
    );
    const signatures = { there, needed: signaturesNeeded({ op, args }, one.record) };
    try {
      return { ...about, does: does(one).flatMap((sentence) => sentence ?? []), error: null, signatures };
    } catch (error) {
      if (!(error instanceof KeysteadError)) throw error;
      return { ...about, does: [], error, signatures };
    }
  });
}

/** With --plan: shows it and answers true. */
export function plansOnly(
  ctx: CliContext,
  signing: Signing,
  op: SignedOp,
  args: CommandArguments,
  prepared: Prepared,
): boolean {
  if (!signing.options.plan) return false;
  printPlan(ctx, LABELS[op], planOf(signing, op, args, prepared));
  if (!ctx.json) notice(ctx, 'To do it, say it again without --plan.');
  return true;
}
