/** What the health routes know: counts and verdicts, nothing that names a unit. */
export interface HealthFacts {
  readonly databaseWritable: boolean;
  readonly auditWritable: boolean;
  /** An instance whose units signed checkpoints that the audit log does not hold. */
  readonly rolledBack: boolean;
  readonly draining: boolean;
  readonly instances: number;
  /** Units the instances should have, and those that serve. */
  readonly units: number;
  readonly serving: number;
  readonly quarantined: number;
  /** Units whose token has no OAEP with SHA-256 of its own, so that the agent decodes what clients import. */
  readonly oaepFallback: number;
}

export const HEALTH_STATES = [
  'draining',
  'database-unavailable',
  'audit-blocked',
  'uninitialized',
  'database-rolled-back',
  'sealed',
  'degraded',
  'operational',
] as const;
export type HealthState = (typeof HEALTH_STATES)[number];

export type HealthStatus = 'pass' | 'warn' | 'fail';

/** pass and warn take traffic. docs/states.md is printed from here. */
export const VERDICT = {
  draining: 'fail',
  'database-unavailable': 'fail',
  'audit-blocked': 'fail',
  uninitialized: 'fail',
  'database-rolled-back': 'fail',
  sealed: 'fail',
  degraded: 'warn',
  operational: 'pass',
} as const satisfies Record<HealthState, HealthStatus>;

/** What to do next, for whoever reads the answer of a health route. */
export const NEXT_STEP = {
  draining: 'the server is stopping; send requests to another one',
  'database-unavailable': 'bring PostgreSQL back; the server reconnects by itself',
  'audit-blocked':
    'the audit log cannot be written, so nothing is served: look at the database (space, locks, privileges); it ends by itself',
  uninitialized: "make an instance and initialise its units: 'kp instance create NAME', then 'kp crypto-units'",
  'database-rolled-back':
    "the database is older than what the units have seen: restore the newest, or accept this one: 'kp restore accept'",
  sealed: "no unit is kms-initialized and whole; see 'kp crypto-units'",
  degraded: "some units do not serve; see 'kp crypto-units'",
  operational: 'nothing',
} as const satisfies Record<HealthState, string>;

/** The first of the states that is true, in the order of HEALTH_STATES. */
export function healthState(facts: HealthFacts): HealthState {
  if (facts.draining) return 'draining';
  if (!facts.databaseWritable) return 'database-unavailable';
  if (!facts.auditWritable) return 'audit-blocked';
  if (facts.instances === 0) return 'uninitialized';
  if (facts.serving === 0) return facts.rolledBack ? 'database-rolled-back' : 'sealed';
  return facts.serving < facts.units || facts.quarantined > 0 ? 'degraded' : 'operational';
}
