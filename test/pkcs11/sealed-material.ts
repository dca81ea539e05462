import { constants, generateKeyPairSync, type KeyObject, publicEncrypt } from 'node:crypto';
import type { PrivateKeyAlgorithm } from '../../src/pkcs11/external-keys.js';
import type { WrappingAlgorithm } from '../../src/pkcs11/sealed-key.js';

/** What a client does with the import parameters, with OpenSSL. */

export function encryptTo(key: KeyObject, algorithm: WrappingAlgorithm, bytes: Buffer): Buffer {
  if (algorithm === 'RSAES_PKCS1_V1_5') return publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, bytes);
  const oaepHash = algorithm === 'RSAES_OAEP_SHA_1' ? 'sha1' : 'sha256';
  return publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, bytes);
}

const made = new Map<PrivateKeyAlgorithm, KeyObject>();

/** The client's private key of this kind, the same at each call. */
export function privateKeyOf(kind: PrivateKeyAlgorithm): KeyObject {
  const key = made.get(kind) ?? makePrivateKey(kind);
  made.set(kind, key);
  return key;
}

function makePrivateKey(kind: PrivateKeyAlgorithm): KeyObject {
  if (kind === 'EC-P256' || kind === 'EC-P384') {
    return generateKeyPairSync('ec', { namedCurve: kind === 'EC-P256' ? 'P-256' : 'P-384' }).privateKey;
  }
  return generateKeyPairSync('rsa', { modulusLength: Number(kind.slice(4)) }).privateKey;
}
