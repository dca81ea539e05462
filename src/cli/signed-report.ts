import type { CliContext } from './context.js';
import { type Outcome, report } from './outcome.js';
import type { Executed } from './signed-operation.js';
import type { Signing } from './signing.js';

/** What became of each target, in the order of the targets. */
export function outcomesOf(
  { targets }: Pick<Signing, 'targets'>,
  failed: readonly Outcome[],
  executed: Executed,
): Outcome[] {
  const all: Outcome[] = [
    ...executed.done.map(({ receipt }) => ({ unitId: receipt.unit, receipt })),
    ...executed.failed,
    ...failed,
  ];
  return targets.flatMap(({ unit }) => all.filter(({ unitId }) => unitId === unit.id));
}

/** Prints a signed operation and throws when any unit failed. */
export function printExecuted(
  ctx: CliContext,
  label: string,
  signing: Signing,
  failed: readonly Outcome[],
  executed: Executed,
  extra: object = {},
  epilogue: readonly string[] = [],
): void {
  report(ctx, {
    label,
    outcomes: outcomesOf(signing, failed, executed),
    retry: signing.retry,
    extra: { plan: executed.plan, ...extra },
    epilogue,
  });
}
