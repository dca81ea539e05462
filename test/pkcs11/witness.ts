import { createCipheriv, randomBytes } from 'node:crypto';

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

/** AES-256-GCM: iv ‖ ciphertext ‖ tag. */
export function seal(key: Buffer, plaintext: Buffer, aad: Buffer, iv: Buffer = randomBytes(12)): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: 16 }).setAAD(aad);
  return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}
