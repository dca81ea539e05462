import type { Refusal, TokenSessions, UnitFacts } from '../unit-agent/protocol.js';

/** What the last probe of a unit saw. Kept in memory only: it is never older than the next probe. */
export type Observation =
  | {
      readonly kind: 'facts';
      readonly at: Date;
      readonly facts: UnitFacts;
      readonly milliseconds: number;
      /** Whether the canary in the token held. */
      readonly canary: boolean;
      readonly sessions: TokenSessions | null;
    }
  | { readonly kind: 'silent'; readonly at: Date; readonly problem: Refusal };

/** An observation older than this says nothing about now. */
export const STALE_AFTER_MS = 10_000;

export function isFresh(observation: Observation | undefined, now: Date): observation is Observation {
  return observation !== undefined && now.getTime() - observation.at.getTime() <= STALE_AFTER_MS;
}
