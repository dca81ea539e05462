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

export const ACTIVE = 1;
export const SUSPENDED = 2;
export const DEACTIVATED = 3;
export const DESTROYED = 5;

const LIVE = [ACTIVE, SUSPENDED, DEACTIVATED] as const;
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
  delete: LIVE,
  restore: [DESTROYED],
  purge: [DESTROYED],
  'list versions of': [ACTIVE],
  'list versions in any state of': KEY_STATES,
  move: LIVE,
  'set for deletion': LIVE,
  'unset for deletion': LIVE,
  'set policies of': LIVE,
  'read policies of': KEY_STATES,
  'add an alias to': LIVE,
  'remove an alias of': LIVE,
  sync: KEY_STATES,
} as const satisfies Record<string, readonly KeyState[]>;
export type KeyAct = keyof typeof KEY_ACTS;

/** Why a key is not active, as a number for clients: 1 its time ran out, 2 somebody decided so. */
export const NONACTIVE_REASON = { 0: 2, 1: null, 2: 2, 3: 1, 5: 2 } as const satisfies Record<KeyState, number | null>;

/** The state that holds now: an active key whose time has run out is deactivated, whether or not the job has come by. */
export function stateNow(key: { readonly state: KeyState; readonly expiresAt: Date | null }, now: Date): KeyState {
  const expired = key.expiresAt !== null && key.expiresAt <= now;
  return key.state === ACTIVE && expired ? DEACTIVATED : key.state;
}

/** Throws KEY_STATE, or KEY_DELETED for a second deletion, unless the act is allowed in the state. */
export function assertAct(act: KeyAct, state: KeyState): void {
  const allowed: readonly KeyState[] = KEY_ACTS[act];
  if (allowed.includes(state)) return;
  if (act === 'delete')
    throw new KeysteadError('KEY_DELETED', 'the key has been deleted already; restore it or let it go');
  const names = allowed.map((one) => STATE_NAME[one]).join(' or ');
  throw new KeysteadError('KEY_STATE', `cannot ${act} a key that is ${STATE_NAME[state]}; it must be ${names}`);
}
