import { type ErrorCode, KeysteadError } from '../shared/errors.js';
import { reasonOf } from './conditions.js';
import type { UnitView } from './unit-view.js';

/** IBM's words for it; clients look for them. */
export const NO_HEALTHY_UPSTREAM = 'no healthy upstream: no crypto units are in kms-initialized state at this time';

type Shown = Pick<UnitView, 'id' | 'state' | 'conditions'>;

/**
 * No unit serves: IBM's words, then each of these units with its state and the reason, and the next command. Reasons are
 * single words; the sentences of conditions name tokens. Nobody who is not known yet hears of units: hand in none.
 * `failed` is what units answered just now that were thought to serve.
 */
export function noHealthyUpstream(units: readonly Shown[], failed?: ReadonlyMap<string, ErrorCode>): KeysteadError {
  const told = units.map(({ id, state, conditions }) => {
    const why = reasonIn(conditions) ?? wordOf(failed?.get(id));
    return `crypto unit ${id}: ${state}${why === undefined ? '' : ` (${why})`}`;
  });
  return new KeysteadError('NO_HEALTHY_UPSTREAM', [NO_HEALTHY_UPSTREAM, ...told, 'next: kp crypto-units'].join('; '));
}

/** The first thing that keeps the unit from serving: of one that is not reached nothing else is known. */
function reasonIn(conditions: Shown['conditions']): string | undefined {
  const is = (type: string, status: string) =>
    conditions.find((condition) => condition.type === type && condition.status === status)?.reason;
  return is('Reachable', 'False') ?? is('Reachable', 'Unknown') ?? is('Quarantined', 'True');
}

const wordOf = (code: ErrorCode | undefined) => (code === undefined ? undefined : reasonOf(code));
