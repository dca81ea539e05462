import { constants, createCipheriv, createPublicKey, type KeyObject, publicEncrypt, randomBytes } from 'node:crypto';
import { KeysteadError } from '../shared/errors.js';

/** What a key and a nonce look like on their way to an import token. Nothing here contacts anybody. */
export type OaepHash = 'SHA256' | 'SHA1';

export interface EncryptedNonce {
  readonly encryptedNonce: Buffer;
  readonly iv: Buffer;
}

const LEAST_BITS = 2048;
const GCM_IV_BYTES = 12;
const CBC_IV_BYTES = 16;

/** The RSA public key in PEM, or in base64 of PEM or of SPKI DER. FILE_INVALID when it is none, or shorter than 2048 bits. */
export function readImportKey(text: string): KeyObject {
  const pem = pemIn(text) ?? pemIn(Buffer.from(text, 'base64').toString('latin1'));
  try {
    const der = { key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' } as const;
    const key = createPublicKey(pem ?? der);
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
    if (key.asymmetricKeyType === 'rsa' && bits >= LEAST_BITS) return key;
  } catch (cause) {
    throw refused(cause);
  }
  throw refused();
}

const pemIn = (text: string) => /-----BEGIN [A-Z ]*PUBLIC KEY-----[^-]+-----END [A-Z ]*PUBLIC KEY-----/.exec(text)?.[0];

function refused(cause?: unknown): KeysteadError {
  return new KeysteadError(
    'FILE_INVALID',
    "the public key is not that of an import token: an RSA key in PEM, or in base64 as the payload of 'kp import-token show'",
    { cause },
  );
}

/** RSAES-OAEP (RFC 8017, 7.1) with the hash for the label and for MGF1, and an empty label. As long as the modulus. */
export function encryptKey(key: Buffer, importKey: KeyObject, hash: OaepHash): Buffer {
  const oaep = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash === 'SHA1' ? 'sha1' : 'sha256' };
  return publicEncrypt({ key: importKey, ...oaep }, key);
}

/** AES-GCM (NIST SP 800-38D) under the key itself, random IV of 12 bytes, no additional data: ciphertext, then a tag of 16 bytes. */
export function encryptNonce(key: Buffer, nonce: Buffer): EncryptedNonce {
  const iv = randomBytes(GCM_IV_BYTES);
  const cipher = createCipheriv(gcmOf(key), key, iv);
  return { encryptedNonce: Buffer.concat([cipher.update(nonce), cipher.final(), cipher.getAuthTag()]), iv };
}

/** AES-CBC with PKCS#7 padding and a random IV of 16 bytes: what IBM's Hyper Protect Crypto Services takes instead. */
export function encryptNonceCbc(key: Buffer, nonce: Buffer): EncryptedNonce {
  const iv = randomBytes(CBC_IV_BYTES);
  const cipher = createCipheriv(`aes-${key.length * 8}-cbc`, key, iv);
  return { encryptedNonce: Buffer.concat([cipher.update(nonce), cipher.final()]), iv };
}

function gcmOf({ length }: Buffer): 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm' {
  if (length === 16) return 'aes-128-gcm';
  return length === 24 ? 'aes-192-gcm' : 'aes-256-gcm';
}
