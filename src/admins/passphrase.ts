import { needs } from '../shared/errors.js';
import type { Secret } from '../shared/secret.js';

export const SIG_KEY_PASSPHRASE = { least: 4, most: 255 } as const;
export const KEYSHARE_PASSPHRASE = { least: 6, most: 255 } as const;

/** The number of characters (code points) in UTF-8 bytes, counted without making a string of them. */
export function charactersIn(passphrase: Secret): number {
  let count = 0;
  for (const byte of passphrase.bytes) if ((byte & 0xc0) !== 0x80) count += 1;
  return count;
}

/** Throws USAGE, naming the file, unless the passphrase has as many characters as the limits say. */
export function assertPassphrase(passphrase: Secret, limits: { least: number; most: number }, file: string): void {
  const count = charactersIn(passphrase);
  const { least, most } = limits;
  needs(
    count >= least && count <= most,
    'USAGE',
    `the passphrase for ${file} has ${count} characters; give ${least} to ${most}`,
  );
}
