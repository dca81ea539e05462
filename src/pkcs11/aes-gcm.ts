import { randomBytes } from 'node:crypto';
import type { Handle } from 'pkcs11js';
import { KeysteadError, needs } from '../shared/errors.js';
import { gcm, IV_BYTES, TAG_BYTES } from './mechanisms.js';
import type { Session } from './session-pool.js';

/**
 * AES-256-GCM (NIST SP 800-38D): iv (12) ‖ ciphertext ‖ tag (16). The IV is random of the token XOR random of this process,
 * so neither a repeating token nor a cloned process image repeats one. A token that insists on an IV of its own
 * writes it over ours. AAD and plaintext must not be empty (SoftHSM misbehaves on an empty AAD): BAD_REQUEST.
 */
export function sealAesGcm(session: Session, key: Handle, plaintext: Buffer, aad: Buffer): Buffer {
  const iv = session.lib.C_GenerateRandom(session.handle, Buffer.alloc(IV_BYTES));
  const own = randomBytes(IV_BYTES);
  for (let i = 0; i < IV_BYTES; i++) iv.writeUInt8(iv.readUInt8(i) ^ own.readUInt8(i), i);
  const sealed = encryptAesGcm(session, key, iv, plaintext, aad);
  return Buffer.concat([iv, sealed]);
}

/** The raw operation: ciphertext ‖ tag. `iv` is read again by the caller, since the token may have replaced it. */
export function encryptAesGcm(session: Session, key: Handle, iv: Buffer, plaintext: Buffer, aad: Buffer): Buffer {
  needs(plaintext.length > 0 && aad.length > 0, 'BAD_REQUEST', 'there must be something to encrypt, and AAD');
  const { lib, handle } = session;
  lib.C_EncryptInit(handle, gcm(iv, aad), key);
  // SoftHSM asks for more room than it uses
  const sealed = lib.C_Encrypt(handle, plaintext, Buffer.alloc(plaintext.length + 2 * TAG_BYTES));
  const expected = plaintext.length + TAG_BYTES;
  needs(
    sealed.length === expected,
    'TOKEN_UNSUITABLE',
    `AES-GCM of the token gave ${sealed.length} bytes, not ${expected}`,
  );
  return sealed;
}

/**
 * Opens iv ‖ ciphertext ‖ tag. CIPHERTEXT_INVALID when it is too short to be one; what a wrong tag gives depends on
 * the module (ckr.ts, ambiguous).
 */
export function openAesGcm(session: Session, key: Handle, sealed: Buffer, aad: Buffer): Buffer {
  if (sealed.length <= IV_BYTES + TAG_BYTES || aad.length === 0) {
    throw new KeysteadError('CIPHERTEXT_INVALID', 'the ciphertext was not made by this key, or was changed');
  }
  const { lib, handle } = session;
  lib.C_DecryptInit(handle, gcm(sealed.subarray(0, IV_BYTES), aad), key);
  return lib.C_Decrypt(handle, sealed.subarray(IV_BYTES), Buffer.alloc(sealed.length));
}
