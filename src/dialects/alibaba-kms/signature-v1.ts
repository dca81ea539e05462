import { createHmac } from 'node:crypto';
import { canonicalQuery, type Pair, percentEncoded } from './percent.js';

/**
 * What the older signature (SignatureMethod HMAC-SHA1, SignatureVersion 1.0) signs: the method and every parameter of
 * query and form but `Signature`, encoded anew, since clients differ in how they encode.
 */
export function stringToSignV1(method: string, pairs: readonly Pair[]): string {
  const signed = pairs.filter(([name]) => name !== 'Signature');
  return `${method}&%2F&${percentEncoded(canonicalQuery(signed))}`;
}

/** HMAC-SHA1 (RFC 2104) under the secret with `&` behind it, 20 bytes. */
export function signatureV1(secret: Buffer, stringToSign: string): Buffer {
  const key = Buffer.concat([secret, Buffer.from('&')]);
  try {
    return createHmac('sha1', key).update(stringToSign).digest();
  } finally {
    key.fill(0);
  }
}
