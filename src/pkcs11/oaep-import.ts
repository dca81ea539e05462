import { type CipherGCMTypes, createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import pkcs11js, { type Handle } from 'pkcs11js';
import { equalBytes } from '../shared/bytes.js';
import { KeysteadError } from '../shared/errors.js';
import { ckrClass } from './ckr.js';
import { AES_256_BYTES, AES_BYTES, gcm, IV_BYTES, MECHANISMS, type OaepHash, TAG_BYTES } from './mechanisms.js';
import { attribute } from './objects.js';
import { forgetOpenSslErrors } from './openssl-errors.js';
import { encryptOaep, opensOaep, type RsaPair, unwrapOaep } from './rsa-oaep.js';
import type { SealedNonce } from './sealed-key.js';
import type { Session } from './session-pool.js';
import { importedKey, valueLength } from './templates.js';

const NO_AAD = Buffer.alloc(0);

/** Whether the nonce opens under the key, to what it must be. Both are tried whatever comes out. */
export function opensNonce(key: Buffer, { encryptedNonce, iv, nonce }: SealedNonce): boolean {
  const cipher = createDecipheriv(`aes-${key.length * 8}-gcm` as CipherGCMTypes, key, iv, { authTagLength: TAG_BYTES });
  cipher.setAuthTag(encryptedNonce.subarray(-TAG_BYTES));
  const opened = cipher.update(encryptedNonce.subarray(0, -TAG_BYTES));
  let authentic = true;
  try {
    cipher.final();
  } catch {
    authentic = false; // the one thing that final can find here
  }
  return equalBytes(opened, nonce) && authentic;
}

/** The same with a key inside the token. Throws what the token says of a nonce that does not open. */
export function opensNonceInside(session: Session, key: Handle, { encryptedNonce, iv, nonce }: SealedNonce): boolean {
  const { lib, handle } = session;
  lib.C_DecryptInit(handle, gcm(iv, NO_AAD), key);
  return equalBytes(lib.C_Decrypt(handle, encryptedNonce, Buffer.alloc(encryptedNonce.length)), nonce);
}

/** Whether a key of this many bytes that opens the nonce is one byte over and over, as no random key is. */
export function isUniformInside(length: number, sealed: SealedNonce): boolean {
  return Array.from({ length: 256 }, (_, byte) => Buffer.alloc(length, byte)).some((key) => opensNonce(key, sealed));
}

/** One byte over and over. */
export function isUniform(key: Buffer): boolean {
  return key.every((byte) => byte === key[0]);
}

/**
 * Whether keys can come in without leaving the token: OAEP with SHA-256 opens to a key that then decrypts AES-GCM without
 * AAD. Found by trying, but never on SoftHSM, which builds with C++ assertions abort on an empty AAD (SoftHSMv2 issue 605).
 */
export function opensKeysInside(model: string, session: Session, pair: RsaPair): boolean {
  if (model.startsWith('SoftHSM')) return false;
  if (!opensOaep(session, pair, 'SHA-256')) return false;
  const [key, iv, nonce] = [randomBytes(AES_256_BYTES), randomBytes(IV_BYTES), randomBytes(IV_BYTES)];
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
  const encryptedNonce = Buffer.concat([cipher.update(nonce), cipher.final(), cipher.getAuthTag()]);
  const blob = encryptOaep(pair.publicKey, 'SHA-256', key);
  const opened = unwrapOaep(session, pair.privateKey, 'SHA-256', blob, importedKey());
  try {
    return opensNonceInside(session, opened, { encryptedNonce, iv, nonce });
  } finally {
    session.lib.C_DestroyObject(session.handle, opened);
  }
}

/** An AES key inside the token, and whether it came out of the client's blob: if not, it is random, to go on with. */
export function unwrapKeyInside(
  session: Session,
  pair: RsaPair,
  hash: OaepHash,
  blob: Buffer,
): { key: Handle; valid: boolean } {
  const opened = tryUnwrap(session, pair, hash, blob);
  if (opened) {
    const length = attribute(session, opened, pkcs11js.CKA_VALUE_LEN)?.readUInt32LE() ?? 0;
    if (AES_BYTES.includes(length)) return { key: opened, valid: true };
    session.lib.C_DestroyObject(session.handle, opened);
  }
  const template = importedKey(valueLength(AES_256_BYTES));
  const key = session.lib.C_GenerateKey(session.handle, { mechanism: MECHANISMS.CKM_AES_KEY_GEN }, template);
  return { key, valid: false };
}

function tryUnwrap(session: Session, pair: RsaPair, hash: OaepHash, blob: Buffer): Handle | undefined {
  try {
    return unwrapOaep(session, pair.privateKey, hash, blob, importedKey());
  } catch (cause) {
    forgetOpenSslErrors();
    const kind = ckrClass(cause);
    // what a blob can be blamed for; whether it is to blame shows when the pair opens a blob of our own
    if (kind === 'data' || kind === 'ambiguous' || kind === 'unsuitable') return undefined;
    throw cause;
  }
}

export function assertPairWorks(session: Session, pair: RsaPair, hash: OaepHash): void {
  if (opensOaep(session, pair, hash)) return;
  throw new KeysteadError('TOKEN_UNSUITABLE', `the token does not unwrap RSA-OAEP with ${hash} into a key`);
}
