import { lengthPrefixed } from './bytes.js';

/**
 * What a master key is checked by. Three keys are derived from the 32 bytes of the master key with
 * HKDF-SHA-256 (RFC 5869), salt = mkId, info = a label: mk-wrap and mk-mac go into the units, the check key proves mk-wrap.
 * MKVP = the first 16 bytes of HMAC-SHA-256(mk-mac, input below). It identifies a master key and gives nothing away:
 * an encrypt-zeros check value would publish the first bytes of the GCM hash key.
 */
export const MASTER_KEY_BYTES = 32;
export const MK_ID_BYTES = 16;
export const MKVP_BYTES = 16;

export const MK_LABELS = {
  wrap: 'keystead/mk-wrap/v1',
  mac: 'keystead/mk-mac/v1',
  check: 'keystead/mk-check/v1',
} as const;

/** The message whose HMAC under mk-mac is the MKVP. */
export function mkvpInput(instanceId: string, mkId: Buffer): Buffer {
  return lengthPrefixed(['keystead/mkvp/v1', instanceId, mkId]);
}

/** The message whose HMAC under the check key a unit answers after it opened the check blob with mk-wrap. */
export function checkInput(mkvp: Buffer): Buffer {
  return lengthPrefixed(['keystead/mk-check-answer/v1', mkvp]);
}

/** A check value as people read it aloud: groups of four hex digits. */
export function spell(value: Buffer): string {
  return (
    value
      .toString('hex')
      .toUpperCase()
      .match(/.{1,4}/g)
      ?.join('-') ?? ''
  );
}
