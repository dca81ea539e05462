import { KeysteadError } from '../shared/errors.js';

/** IBM's numbers; 4 is not used. */
export const KEY_STATES = [0, 1, 2, 3, 5] as const;
export type KeyState = (typeof KEY_STATES)[number];

/** What the unit calls them in the rows it MACs, and people in sentences. */
export const STATE_NAME = {
  0: 'pre-activation',
  1: 'active',
  2: 'suspended',
  3: 'deactivated',
  5: 'destroyed',
} as const satisfies Record<KeyState, string>;

/** An external key without material. */
export const PENDING = 0;
export const ACTIVE = 1;
export const SUSPENDED = 2;
export const DEACTIVATED = 3;
export const DESTROYED = 5;

const LIVE = [ACTIVE, SUSPENDED, DEACTIVATED] as const;
/** Live keys, and external ones that wait for their material. */
const PRESENT = [PENDING, ...LIVE] as const;
const READABLE = [ACTIVE, DEACTIVATED] as const;

/** Which act is allowed in which states. docs/states.md and the test matrix are printed from this. */
export const KEY_ACTS = {
  read: KEY_STATES,
  wrap: [ACTIVE],
  unwrap: READABLE,
  rewrap: READABLE,
  rotate: READABLE,
  disable: [ACTIVE],
  enable: [SUSPENDED],
  delete: PRESENT,
  restore: [DESTROYED],
  purge: [DESTROYED],
  'list versions of': [ACTIVE],
  'list versions in any state of': KEY_STATES,
  move: PRESENT,
  'set for deletion': PRESENT,
  'unset for deletion': PRESENT,
  'set policies of': PRESENT,
  'read policies of': KEY_STATES,
  'add an alias to': PRESENT,
  'remove an alias of': PRESENT,
  sync: KEY_STATES,
  encrypt: [ACTIVE],
  decrypt: READABLE,
  sign: [ACTIVE],
  verify: READABLE,
  'read the public key of': LIVE,
  'grant the use of': LIVE,
  'revoke a grant on': PRESENT,
  'read grants of': PRESENT,
  update: PRESENT,
  label: PRESENT,
  'get import parameters for': PRESENT,
  'import material into': [PENDING, ACTIVE, SUSPENDED],
  'delete the material of': [PENDING, ACTIVE, SUSPENDED],
  'delete the present material of': [ACTIVE, SUSPENDED],
  'schedule the deletion of': PRESENT,
  'cancel the deletion of': PRESENT,
} as const satisfies Record<string, readonly KeyState[]>;
export type KeyAct = keyof typeof KEY_ACTS;

/** Why a key is not active, as a number for clients: 1 its time ran out, 2 somebody decided so. */
export const NONACTIVE_REASON = { 0: 2, 1: null, 2: 2, 3: 1, 5: 2 } as const satisfies Record<KeyState, number | null>;

/** The condition of a key that external keys have too, in the words of the services that import them. */
export type KeyCondition = 'enabled' | 'disabled' | 'pending-deletion' | 'pending-import';

interface Timed {
  readonly state: KeyState;
  readonly expiresAt: Date | null;
  readonly materialExpiresAt: Date | null;
}

/**
 * The state that holds now, whether or not the job has come by: an active key whose time has run out is deactivated, and
 * an external key whose material's time has run out is without it.
 */
export function stateNow({ state, expiresAt, materialExpiresAt }: Timed, now: Date): KeyState {
  if (state !== ACTIVE && state !== SUSPENDED) return state;
  if (materialExpiresAt !== null && materialExpiresAt <= now) return PENDING;
  return state === ACTIVE && expiresAt !== null && expiresAt <= now ? DEACTIVATED : state;
}

/** What clients of external keys call the state; null: the key is not there for them any more. */
export function conditionOf({ state, deletionDueAt }: Conditioned): KeyCondition | null {
  if (state === DESTROYED) return null;
  if (deletionDueAt !== null) return 'pending-deletion';
  if (state === PENDING) return 'pending-import';
  return state === ACTIVE ? 'enabled' : 'disabled';
}

interface Conditioned {
  readonly state: KeyState;
  readonly deletionDueAt: Date | null;
}

/** What a key whose deletion is scheduled still lets one do. */
const WHILE_DELETION_PENDING: readonly KeyAct[] = [
  'read',
  'list versions in any state of',
  'read policies of',
  'read grants of',
  'revoke a grant on',
  'read the public key of',
  'remove an alias of',
  'get import parameters for',
  'delete the material of',
  'cancel the deletion of',
];

/** Acts of services that know no deleted keys: for them such a key is not there. */
const BLIND_TO_DELETED: readonly KeyAct[] = [
  ...(['encrypt', 'decrypt', 'sign', 'verify', 'read the public key of', 'update', 'label'] as const),
  ...(['grant the use of', 'revoke a grant on', 'read grants of', 'get import parameters for'] as const),
  ...(['import material into', 'delete the material of', 'delete the present material of'] as const),
  ...(['schedule the deletion of', 'cancel the deletion of'] as const),
];

/**
 * Throws KEY_NOT_FOUND, DELETION_PENDING, MATERIAL_ABSENT, KEY_STATE or KEY_DELETED unless the key as it is now allows the
 * act.
 */
export function assertAllowed(act: KeyAct, key: Timed & Conditioned, now: Date): void {
  if (key.state === DESTROYED && BLIND_TO_DELETED.includes(act)) {
    throw new KeysteadError('KEY_NOT_FOUND', 'the key has been deleted');
  }
  if (key.deletionDueAt !== null && !WHILE_DELETION_PENDING.includes(act)) {
    throw new KeysteadError('DELETION_PENDING', `cannot ${act} a key that is to be deleted; cancel its deletion first`);
  }
  assertAct(act, stateNow(key, now));
}

/** Throws KEY_STATE, KEY_DELETED for a second deletion, or MATERIAL_ABSENT, unless the act is allowed in the state. */
export function assertAct(act: KeyAct, state: KeyState): void {
  const allowed: readonly KeyState[] = KEY_ACTS[act];
  if (allowed.includes(state)) return;
  if (act === 'delete')
    throw new KeysteadError('KEY_DELETED', 'the key has been deleted already; restore it or let it go');
  if (state === PENDING)
    throw new KeysteadError('MATERIAL_ABSENT', `cannot ${act} a key that has no key material; import it first`);
  const names = allowed.map((one) => STATE_NAME[one]).join(' or ');
  throw new KeysteadError('KEY_STATE', `cannot ${act} a key that is ${STATE_NAME[state]}; it must be ${names}`);
}
