import { createHash, timingSafeEqual } from 'node:crypto';
import { KeysteadError } from './errors.js';

/** SHA-256 (FIPS 180-4) of the bytes or UTF-8 text: 32 bytes. */
export function sha256(data: Buffer | string): Buffer {
  return createHash('sha256').update(data).digest();
}

/** Equality of two byte strings in time that depends on their lengths alone. */
export function equalBytes(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Strict base64url without padding (RFC 4648 section 5): one text per byte string. Throws BAD_REQUEST naming `what`. */
export function fromBase64url(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text)
    throw new KeysteadError('BAD_REQUEST', `${what} is not base64url (RFC 4648)`);
  return bytes;
}

/** Strict base64 with padding (RFC 4648 section 4): one text per byte string. Throws BAD_REQUEST naming `what`. */
export function fromBase64(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw new KeysteadError('BAD_REQUEST', `${what} is not base64 (RFC 4648)`);
  return bytes;
}

/** Items joined so that no two lists give the same bytes: each is preceded by its length, 4 bytes big-endian. */
export function lengthPrefixed(items: readonly (Buffer | string)[]): Buffer {
  return Buffer.concat(
    items.flatMap((item) => {
      const bytes = typeof item === 'string' ? Buffer.from(item) : item;
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
}
