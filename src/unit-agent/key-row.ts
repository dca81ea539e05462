import { equalBytes, lengthPrefixed } from '../shared/bytes.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { rowFields } from './fields.js';
import type { KeyRowFields, NextRow } from './protocol.js';

/** Which acts a key's state allows. */
const USABLE = {
  encrypt: ['active'],
  decrypt: ['active', 'deactivated'],
  'encrypt its own anew': ['active', 'deactivated'],
  'import keys': ['active'],
  sign: ['active'],
  verify: ['active', 'deactivated'],
  'give its public key': ['active', 'suspended', 'deactivated'],
  'take material': ['pre-activation', 'active', 'suspended'],
  'lose its material': ['active', 'suspended'],
} as const satisfies Record<string, readonly string[]>;
export type KeyUse = keyof typeof USABLE;

/** The states that a key of each state may go to. Only the loss of its material brings one back to pre-activation. */
const TRANSITIONS = {
  'pre-activation': ['active', 'suspended', 'destroyed'],
  active: ['suspended', 'deactivated', 'destroyed'],
  suspended: ['active', 'deactivated', 'destroyed'],
  deactivated: ['destroyed'],
  destroyed: ['active', 'deactivated'], // restored, within its time
} as const satisfies Record<string, readonly string[]>;

/** The bytes that the row MAC covers: every field of the row and the wrapped key. One row, one byte string. */
export function rowBytes(row: KeyRowFields, blob: Buffer): Buffer {
  const fields = rowFields(row);
  return row.auditSeq === undefined
    ? lengthPrefixed(['keystead/row/v1', ...fields.slice(0, -1), blob])
    : lengthPrefixed(['keystead/row/v2', ...fields, blob]);
}

/** Whether the MAC is the one that the unit computes over the row, and the row is of the unit's instance. */
export function isGenuine(row: KeyRowFields, mac: { given: Buffer; computed: Buffer }, instance: string): boolean {
  return equalBytes(mac.given, mac.computed) && row.instance === instance;
}

/** Throws KEY_ROW_INVALID unless the row is genuine; KEY_STATE unless its state allows the use. */
export function assertUsable(
  use: KeyUse,
  row: KeyRowFields,
  mac: { given: Buffer; computed: Buffer },
  instance: string,
): void {
  assertGenuine(row, mac, instance);
  assertAllows(use, row.state);
}

/** Throws KEY_STATE unless a key in this state may be used so. */
export function assertAllows(use: KeyUse, state: string): void {
  const states: readonly string[] = USABLE[use];
  if (states.includes(state)) return;
  throw new KeysteadError('KEY_STATE', `a key that is ${state} cannot ${use}; it must be ${states.join(' or ')}`);
}

/**
 * Throws KEY_ROW_INVALID unless the row is genuine and the change is no earlier than the one before; KEY_STATE unless the
 * row may go to this state or is in it already.
 */
export function assertChangeable(
  row: KeyRowFields,
  { state: to, auditSeq }: Pick<NextRow, 'state' | 'auditSeq'>,
  mac: { given: Buffer; computed: Buffer },
  instance: string,
): void {
  assertGenuine(row, mac, instance);
  assertNotEarlier(row, { auditSeq });
  const next: readonly string[] | undefined = Object.hasOwn(TRANSITIONS, row.state)
    ? TRANSITIONS[row.state as keyof typeof TRANSITIONS]
    : undefined;
  const allowed = next !== undefined && (to === row.state || next.includes(to));
  needs(allowed, 'KEY_STATE', `a key that is ${row.state} cannot become ${to}; it can be ${next?.join(' or ')}`);
}

/** Throws KEY_ROW_INVALID when the change would be earlier than the one before: the log was set back, and the row was not. */
export function assertNotEarlier(row: KeyRowFields, { auditSeq }: Pick<NextRow, 'auditSeq'>): void {
  needs(
    !isEarlier(auditSeq, row.auditSeq),
    'KEY_ROW_INVALID',
    `key ${row.key} was changed at line ${row.auditSeq} of an audit log that was longer; restore the newest database`,
  );
}

function isEarlier(next: string | undefined, last: string | undefined): boolean {
  if (last === undefined) return false;
  return next === undefined || !/^\d{1,19}$/.test(next) || BigInt(next) < BigInt(last);
}

/** Throws KEY_STATE for a key without material in a state that is of keys with material. */
export function assertHasMaterial({ state }: KeyRowFields, blob: Buffer): void {
  const fits = blob.length > 0 || state === 'pre-activation' || state === 'destroyed';
  needs(fits, 'KEY_STATE', `a key without material cannot be ${state}; import its material`);
}

/** Throws KEY_ROW_INVALID unless the row is genuine. */
export function assertGenuine(row: KeyRowFields, mac: { given: Buffer; computed: Buffer }, instance: string): void {
  needs(
    isGenuine(row, mac, instance),
    'KEY_ROW_INVALID',
    `the stored row of key ${row.key} was changed behind Keystead's back; restore it`,
  );
}
