import { lengthPrefixed } from '../shared/bytes.js';

export const CHALLENGE_BYTES = 32;

/**
 * What the KMS user signs to open the crypto set: RSASSA-PSS, SHA-256, salt 32 (RFC 8017 section 8.1). The unit's id
 * is in it, so that one unit's challenge answered for another proves nothing there.
 */
export function kmsUserProof(unit: string, challenge: Buffer): Buffer {
  return lengthPrefixed(['keystead/kms-user/v1', unit, challenge]);
}
