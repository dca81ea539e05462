import { generateKeyPairSync, type KeyObject, verify } from 'node:crypto';

const NOTHING = Buffer.alloc(0);
let key: KeyObject | undefined;

/**
 * Empties OpenSSL's error queue of this thread after a PKCS#11 call failed. SoftHSM's calls to OpenSSL bind to the OpenSSL
 * inside node, so what went wrong in the token (a bad AES-KW or OAEP blob) stays in a queue that node looks into: the next
 * createPrivateKey of this process would fail for no reason of its own. A signature check of node clears the queue when it
 * returns; this one has nothing to check and takes about 50 µs.
 */
export function forgetOpenSslErrors(): void {
  key ??= generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
  verify('sha256', NOTHING, key, NOTHING);
}
