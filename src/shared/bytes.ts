import { hash, timingSafeEqual } from 'node:crypto';
import { KeysteadError } from './errors.js';

const LENGTH_BYTES = 4;

/** SHA-256 (FIPS 180-4) of the bytes or UTF-8 text: 32 bytes. */
export function sha256(data: Buffer | string): Buffer {
  return hash('sha256', data, 'buffer');
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
  let size = 0;
  for (const item of items) size += LENGTH_BYTES + Buffer.byteLength(item);
  const joined = Buffer.allocUnsafe(size);
  let at = 0;
  for (const item of items) {
    const start = at + LENGTH_BYTES;
    const length = typeof item === 'string' ? joined.write(item, start) : item.copy(joined, start);
    joined.writeUInt32BE(length, at);
    at = start + length;
  }
  return joined;
}
