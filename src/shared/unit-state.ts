import { KeysteadError } from './errors.js';

/** What is true of a unit. Its state is the name of these facts; it is computed, never stored. */
export interface StateFacts {
  readonly claimed: boolean;
  readonly masterKey: boolean;
  readonly kmsUser: boolean;
  readonly maintenance: boolean;
}

/** IBM's names, verbatim. */
export const UNIT_STATES = [
  'reserved',
  'claimed',
  'initialized',
  'kms-authorized',
  'kms-initialized',
  'maintenance',
] as const;
export type UnitState = (typeof UNIT_STATES)[number];

export function stateOf(unit: StateFacts): UnitState {
  if (unit.maintenance) return 'maintenance';
  if (!unit.claimed) return 'reserved';
  if (unit.masterKey) return unit.kmsUser ? 'kms-initialized' : 'initialized';
  return unit.kmsUser ? 'kms-authorized' : 'claimed';
}

const CLAIMED = ['claimed', 'initialized', 'kms-authorized', 'kms-initialized'] as const;

/** Which act is allowed in which states. docs/states.md and the test matrix are printed from this. */
export const ALLOWED = {
  claim: ['reserved'],
  'mk.random': CLAIMED,
  'mk.importer': CLAIMED,
  'mk.import': CLAIMED, // with a master key already there: only the same one, which changes nothing
  'user.add': CLAIMED,
  'user.remove': CLAIMED,
  'threshold.set': CLAIMED,
  'restore.accept': CLAIMED,
  zeroize: CLAIMED,
  'use-keys': ['kms-initialized'],
} as const satisfies Record<string, readonly UnitState[]>;
export type UnitAct = keyof typeof ALLOWED;

/** The acts that admins sign. */
export const SIGNED_OPS = [
  'mk.random',
  'mk.importer',
  'mk.import',
  'user.add',
  'user.remove',
  'threshold.set',
  'restore.accept',
  'zeroize',
] as const;
export type SignedOp = (typeof SIGNED_OPS)[number];

const NEXT: Record<UnitState, string> = {
  reserved: "claim it first: 'kp crypto-unit claim --credential FILE'",
  claimed:
    "import a master key and add the kmsCryptoUser: 'kp crypto-unit mk import', 'kp crypto-unit user add --type kmsCryptoUser'",
  initialized: "add the kmsCryptoUser: 'kp crypto-unit user add --type kmsCryptoUser'",
  'kms-authorized': "import the master key: 'kp crypto-unit mk import'",
  'kms-initialized': "to start again, zeroize it: 'kp crypto-unit zeroize --id ID'",
  maintenance: "wait, or end it: 'kp crypto-unit maintenance ID --off'",
};

/** Throws UNIT_STATE, or UNIT_IN_MAINTENANCE, with the command that leads on, when the act is not allowed in the state. */
export function assertAllowed(act: UnitAct, state: UnitState): void {
  const allowed: readonly UnitState[] = ALLOWED[act];
  if (allowed.includes(state)) return;
  const code = state === 'maintenance' ? 'UNIT_IN_MAINTENANCE' : 'UNIT_STATE';
  throw new KeysteadError(
    code,
    `cannot ${act} a unit that is ${state}; it must be ${allowed.join(' or ')}. Next: ${NEXT[state]}`,
  );
}
