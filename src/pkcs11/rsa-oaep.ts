import { constants, createPublicKey, type KeyObject, publicEncrypt, randomBytes } from 'node:crypto';
import pkcs11js, { type Handle, type Template } from 'pkcs11js';
import { KeysteadError } from '../shared/errors.js';
import { ckrClass } from './ckr.js';
import { AES_256_BYTES, MECHANISMS, OAEP_HASHES, type OaepHash, oaep } from './mechanisms.js';
import { attribute } from './objects.js';
import { forgetOpenSslErrors } from './openssl-errors.js';
import type { Session } from './session-pool.js';
import { checkKey, type PairTemplates } from './templates.js';

/** An RSA pair in the token; its handles live in the session that made it. */
export interface RsaPair {
  readonly privateKey: Handle;
  readonly publicKey: KeyObject;
}

/** Makes a pair of session objects, on the thread pool: 0.2 to 5 s (PKCS#11 2.40 section 5.13). */
export async function generateRsaPair({ lib, handle }: Session, templates: PairTemplates): Promise<RsaPair> {
  const { publicKey, privateKey } = templates;
  const mechanism = { mechanism: MECHANISMS.CKM_RSA_PKCS_KEY_PAIR_GEN };
  const pair = await lib.C_GenerateKeyPairAsync(handle, mechanism, publicKey, privateKey);
  return { privateKey: pair.privateKey, publicKey: readRsaPublicKey({ lib, handle }, pair.publicKey) };
}

/** RSAES-OAEP (RFC 8017 section 7.1): opens a blob to a new object inside the token. */
export function unwrapOaep(session: Session, key: Handle, hash: OaepHash, blob: Buffer, template: Template): Handle {
  return session.lib.C_UnwrapKey(session.handle, oaep(hash), key, blob, template);
}

/** Whether the token opens what was encrypted to the pair with this hash, tried with a throw-away secret. */
export function opensOaep(session: Session, pair: RsaPair, hash: OaepHash): boolean {
  const blob = encryptOaep(pair.publicKey, hash, randomBytes(AES_256_BYTES));
  try {
    const secret = unwrapOaep(session, pair.privateKey, hash, blob, checkKey());
    session.lib.C_DestroyObject(session.handle, secret);
    return true;
  } catch (cause) {
    forgetOpenSslErrors();
    // SoftHSM answers ARGUMENTS_BAD to SHA-256, others a mechanism parameter error: it cannot, which is an answer
    if (ckrClass(cause) === 'unsuitable') return false;
    throw cause;
  }
}

/** The best hash that the token opens OAEP with, found by trying. TOKEN_UNSUITABLE when there is none. */
export function bestOaepHash(session: Session, pair: RsaPair): OaepHash {
  const hash = OAEP_HASHES.find((candidate) => opensOaep(session, pair, candidate));
  if (!hash) throw new KeysteadError('TOKEN_UNSUITABLE', 'the token does not unwrap RSA-OAEP into a key; use another');
  return hash;
}

/** Encrypts to the public half, outside the token. */
export function encryptOaep(key: KeyObject, hash: OaepHash, secret: Buffer): Buffer {
  const oaepHash = hash === 'SHA-256' ? 'sha256' : 'sha1';
  return publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, secret);
}

/** The public half, as either half tells it. UNIT_FAULT when it does not. */
export function readRsaPublicKey(session: Session, half: Handle): KeyObject {
  const n = attribute(session, half, pkcs11js.CKA_MODULUS);
  const e = attribute(session, half, pkcs11js.CKA_PUBLIC_EXPONENT);
  if (!n || !e) throw new KeysteadError('UNIT_FAULT', 'the token made an RSA pair without a readable public half');
  const jwk = { kty: 'RSA', n: n.toString('base64url'), e: e.toString('base64url') };
  return createPublicKey({ key: jwk, format: 'jwk' });
}
