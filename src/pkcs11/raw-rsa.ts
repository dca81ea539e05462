import { randomBytes } from 'node:crypto';
import { MECHANISMS } from './mechanisms.js';
import type { RsaPair } from './rsa-oaep.js';
import type { Token } from './token.js';

/** RSADP, RFC 8017 section 5.1.2, on the thread pool, of an input in range: as many bytes as the modulus. */
export function rawRsa(token: Token, pair: RsaPair, input: Buffer): Promise<Buffer> {
  return token.pool.lease('decrypting with an import pair', async ({ lib, handle }) => {
    const room = Buffer.alloc(input.length);
    lib.C_DecryptInit(handle, { mechanism: MECHANISMS.CKM_RSA_X_509 }, pair.privateKey);
    const output = await lib.C_DecryptAsync(handle, input, room);
    const encoded = Buffer.alloc(input.length);
    output.copy(encoded, encoded.length - output.length); // should a module leave out leading zeros
    room.fill(0);
    return encoded;
  });
}

/**
 * What RSADP takes: the ciphertext when it is as long as the modulus and less, otherwise random bytes in its place. They are
 * drawn for every ciphertext: drawing them for some takes microseconds, which 100,000 refusals show.
 */
export function inRange(pair: RsaPair, ciphertext: Buffer): { input: Buffer; fits: boolean } {
  const modulus = Buffer.from(pair.publicKey.export({ format: 'jwk' }).n ?? '', 'base64url');
  const substitute = Buffer.concat([Buffer.alloc(1), randomBytes(modulus.length - 1)]);
  const { part, fits } = ofSize(ciphertext, modulus.length);
  const isLess = part.compare(modulus) < 0;
  return { input: isLess ? part : substitute, fits: fits && isLess };
}

/** The part when it has this size, otherwise random bytes in its place, which are drawn for every part. */
export function ofSize(part: Buffer, bytes: number): { part: Buffer; fits: boolean } {
  const substitute = randomBytes(bytes);
  const fits = part.length === bytes;
  return { part: fits ? part : substitute, fits };
}
