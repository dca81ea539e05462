import { lengthPrefixed } from '../shared/bytes.js';
import { KeysteadError } from '../shared/errors.js';
import type { StoredRow } from '../unit-agent/protocol.js';
import type { Key, KeyVersion } from './key.entity.js';
import { storedRowOf } from './key-row.js';

const FORMAT = '1';
/** iv and tag: less was never sealed here. */
const LEAST_BYTES = 12 + 16;

/** What binds a ciphertext besides its key: the dialect, and the client's context in an order of the dialect's. */
export interface DataContext {
  /** `alibaba-kms`: what one dialect sealed does not open in another one. */
  readonly dialect: string;
  readonly context: readonly string[];
}

export interface SealedData {
  /** iv (12 bytes) ‖ ciphertext ‖ tag (16 bytes). */
  readonly sealed: Buffer;
  readonly keyId: string;
  readonly versionId: string;
}

/** The version as stored, with the additional authenticated data of this context: no two keys, versions or contexts share it. */
export function boundRow(
  key: Key,
  version: KeyVersion,
  { dialect, context }: DataContext,
): StoredRow & { aad: Buffer } {
  const aad = lengthPrefixed([dialect, FORMAT, key.instanceId, key.id, version.id, ...context]);
  return { ...storedRowOf(key, version), aad };
}

/** Throws CIPHERTEXT_INVALID for what is too short, or of no version of the key. */
export function assertSealed(sealed: Buffer, version: KeyVersion | null): asserts version is KeyVersion {
  if (version !== null && sealed.length >= LEAST_BYTES) return;
  throw new KeysteadError('CIPHERTEXT_INVALID', 'the ciphertext is not one that this key made with this context');
}
