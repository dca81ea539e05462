import { equalBytes, lengthPrefixed } from '../shared/bytes.js';
import { needs } from '../shared/errors.js';
import { rowFields } from './fields.js';
import type { KeyRowFields } from './protocol.js';

/** Which acts a key's state allows. */
const USABLE = {
  encrypt: ['active'],
  decrypt: ['active', 'deactivated'],
} as const satisfies Record<string, readonly string[]>;
export type KeyUse = keyof typeof USABLE;

/** The bytes that the row MAC covers: every field of the row and the wrapped key. One row, one byte string. */
export function rowBytes(row: KeyRowFields, blob: Buffer): Buffer {
  return lengthPrefixed(['keystead/row/v1', ...rowFields(row), blob]);
}

/**
 * Throws KEY_ROW_INVALID unless the MAC is the one that the unit computes over the row and the row is of the unit's
 * instance; KEY_STATE unless the row's state allows the use.
 */
export function assertUsable(
  use: KeyUse,
  row: KeyRowFields,
  mac: { given: Buffer; computed: Buffer },
  instance: string,
): void {
  const genuine = equalBytes(mac.given, mac.computed) && row.instance === instance;
  needs(genuine, 'KEY_ROW_INVALID', `the stored row of key ${row.key} was changed behind Keystead's back; restore it`);
  const states: readonly string[] = USABLE[use];
  needs(
    states.includes(row.state),
    'KEY_STATE',
    `cannot ${use} with a key that is ${row.state}; it must be ${states.join(' or ')}`,
  );
}
