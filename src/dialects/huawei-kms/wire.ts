import type { KeyUsage } from '../../keys/key-kinds.js';
import type { KeyCondition } from '../../keys/key-state.js';

/** The vendor's numbers for what a key can be. `1`, to be activated, does not occur. */
export const KEY_STATES = {
  enabled: '2',
  disabled: '3',
  'pending-deletion': '4',
  'pending-import': '5',
} as const satisfies Record<KeyCondition, string>;

export const KEY_SPECS = {
  AES_256: { algorithm: 'AES-256', usage: 'ENCRYPT_DECRYPT' },
  RSA_2048: { algorithm: 'RSA-2048', usage: 'SIGN_VERIFY' },
  RSA_3072: { algorithm: 'RSA-3072', usage: 'SIGN_VERIFY' },
  RSA_4096: { algorithm: 'RSA-4096', usage: 'SIGN_VERIFY' },
  EC_P256: { algorithm: 'EC-P256', usage: 'SIGN_VERIFY' },
  EC_P384: { algorithm: 'EC-P384', usage: 'SIGN_VERIFY' },
} as const satisfies Record<string, { algorithm: string; usage: KeyUsage }>;
export type KeySpec = keyof typeof KEY_SPECS;

export const keySpecOf = (algorithm: string): string => algorithm.replaceAll('-', '_');

/** Epoch milliseconds as text; empty text for none. */
export const millisecondsText = (date: Date | null): string => (date === null ? '' : String(date.getTime()));

/** Clients know true and false as text, but for the rotation status. */
export const flagText = (flag: boolean): 'true' | 'false' => (flag ? 'true' : 'false');

/** Hexadecimal digits as the vendor writes them. */
export const hexText = (bytes: Buffer): string => bytes.toString('hex').toUpperCase();

/** The next page's marker, the number of the first item on it; empty text on the last page. */
export function nextPage(offset: number, count: number, total: number) {
  const more = count > 0 && offset + count < total;
  return { next_marker: more ? String(offset + count) : '', truncated: flagText(more) };
}
