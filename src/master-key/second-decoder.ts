import { needs } from '../shared/errors.js';

/**
 * The second decoder of shares: written from the description of the format, not from the package, so that the two
 * must agree about every master key before anyone relies on it.
 *
 * A share is 08 ‖ x ‖ 80 bytes, each byte a point at x of its own polynomial over GF(2^8) with the reduction
 * polynomial 0x11D. At x = 0 the 80 bytes are 127 zero bits, one 1 bit, and the 32 bytes of the secret, last one
 * first, each widened to 16 bits. So 48 of the 80 bytes are known beforehand: too few shares, or shares of different
 * sets, do not pass for a key. Arithmetic is bit by bit, without tables or branches on secret bits.
 */
export const SHARE_BYTES = 82;
const SECRET_BYTES = 32;
const HEADER_BYTES = 2;
const SECRET_AT = 16;

/** The product in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1 (0x11D). */
export function multiply(a: number, b: number): number {
  let product = 0;
  let power = a;
  for (let bit = 0; bit < 8; bit += 1) {
    product ^= power & -((b >> bit) & 1);
    power = (power << 1) ^ (0x11d & -(power >> 7));
  }
  return product;
}

/** The inverse in GF(2^8): a to the power of 254. */
function invert(a: number): number {
  let inverse = 1;
  for (let bit = 7; bit >= 0; bit -= 1) {
    inverse = multiply(inverse, inverse);
    if (bit > 0) inverse = multiply(inverse, a);
  }
  return inverse;
}

/** The 80 bytes that the polynomials through these shares have at `x` (Lagrange). The shares' own x are distinct. */
export function interpolate(shares: readonly Buffer[], x: number): Buffer {
  const data = Buffer.alloc(SHARE_BYTES - HEADER_BYTES);
  for (const share of shares) {
    const weight = weightOf(share, shares, x);
    for (let at = 0; at < data.length; at += 1) {
      data[at] = (data[at] as number) ^ multiply(weight, share[at + HEADER_BYTES] as number);
    }
  }
  return data;
}

function weightOf(share: Buffer, shares: readonly Buffer[], x: number): number {
  const own = share[1] as number;
  let numerator = 1;
  let denominator = 1;
  for (const other of shares) {
    const id = other[1] as number;
    if (id === own) continue;
    numerator = multiply(numerator, x ^ id);
    denominator = multiply(denominator, own ^ id);
  }
  return multiply(numerator, invert(denominator));
}

/** The 32-byte secret of exactly as many shares as the threshold. Throws KEYSHARE_INVALID when they do not make one. */
export function decode(shares: readonly Buffer[]): Buffer {
  const data = interpolate(shares, 0);
  const secret = Buffer.alloc(SECRET_BYTES);
  let surplus = (data[SECRET_AT - 1] as number) ^ 1;
  for (let at = 0; at < SECRET_AT - 1; at += 1) surplus |= data[at] as number;
  for (let at = 0; at < SECRET_BYTES; at += 1) {
    surplus |= data[SECRET_AT + 2 * at] as number;
    secret[SECRET_BYTES - 1 - at] = data[SECRET_AT + 2 * at + 1] as number;
  }
  data.fill(0);
  needs(surplus === 0, 'KEYSHARE_INVALID', 'the shares do not combine to a master key: too few, or not of one set');
  return secret;
}

/** Where a share carries the byte `at` of the secret. */
export function positionOf(at: number): number {
  return HEADER_BYTES + SECRET_AT + 2 * (SECRET_BYTES - 1 - at) + 1;
}
