import { type CipherGCMTypes, createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** OpenSSL, through Node, as the second opinion on what a token computes. */

/** RFC 3394 with the default initial value. */
export function wrapKw(kek: Buffer, key: Buffer): Buffer {
  return wrapWith('wrap', kek, 'a6a6a6a6a6a6a6a6', key);
}

/** RFC 5649. */
export function wrapKwp(kek: Buffer, key: Buffer): Buffer {
  return wrapWith('wrap-pad', kek, 'a65959a6', key);
}

function wrapWith(mode: string, kek: Buffer, iv: string, key: Buffer): Buffer {
  const cipher = createCipheriv(`id-aes${kek.length * 8}-${mode}`, kek, Buffer.from(iv, 'hex'));
  return Buffer.concat([cipher.update(key), cipher.final()]);
}

/** AES-GCM: iv ‖ ciphertext ‖ tag. */
export function seal(key: Buffer, plaintext: Buffer, aad: Buffer, iv: Buffer = randomBytes(12)): Buffer {
  const mode = `aes-${key.length * 8}-gcm` as CipherGCMTypes;
  const cipher = createCipheriv(mode, key, iv, { authTagLength: 16 }).setAAD(aad);
  return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** Opens RFC 3394, or RFC 5649 when padded. */
export function unwrapKw(kek: Buffer, blob: Buffer, form: 'plain' | 'padded'): Buffer {
  const [mode, iv] = form === 'padded' ? ['wrap-pad', 'a65959a6'] : ['wrap', 'a6a6a6a6a6a6a6a6'];
  const cipher = createDecipheriv(`id-aes${kek.length * 8}-${mode}`, kek, Buffer.from(iv, 'hex'));
  return Buffer.concat([cipher.update(blob), cipher.final()]);
}

/** AES-GCM without AAD, as a client encrypts the nonce of an import token: ciphertext ‖ tag. */
export function sealNonce(key: Buffer, nonce: Buffer): { encryptedNonce: Buffer; iv: Buffer } {
  const iv = randomBytes(12);
  const cipher = createCipheriv(`aes-${key.length * 8}-gcm` as CipherGCMTypes, key, iv, { authTagLength: 16 });
  return { encryptedNonce: Buffer.concat([cipher.update(nonce), cipher.final(), cipher.getAuthTag()]), iv };
}
