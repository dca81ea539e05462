import { randomInt } from 'node:crypto';
import { combine, split } from 'shamirs-secret-sharing';
import { equalBytes } from '../shared/bytes.js';
import { MASTER_KEY_BYTES } from '../shared/check-value.js';
import { needs } from '../shared/errors.js';
import { Secret } from '../shared/secret.js';
import { decode, interpolate, positionOf, SHARE_BYTES } from './second-decoder.js';

/**
 * Shamir's scheme by the package shamirs-secret-sharing, under guards. The package is right when called right, and
 * silent when not; what it gets wrong was measured on 2.0.1 and each point has its answer here:
 *  1. split keeps state between calls and can leak the last secret after it threw: it runs in a process that does one
 *     job and exits on any error (ceremony.ts), which also ends the copies it leaves in strings;
 *  2. a caller's random generator of the wrong type puts the secret into single shares: its type here has no such option;
 *     options are a fresh literal, because one build of it writes into them;
 *  3. it returns its own Buffer class: every result is copied into a real one;
 *  4. a threshold of 1 makes every share the secret: 2 ≤ t ≤ n ≤ 255;
 *  5. combine never refuses: only whole shares of 82 bytes with distinct numbers go in, exactly t of them, and the
 *     second decoder, which knows 48 of the 80 bytes beforehand, must agree;
 *  6. shares carry no set, threshold or check: keyshare-file.ts gives them all three.
 */
export const SCHEME = 'sss-gf256-11d/v1';
export const MAX_SHARES = 255;
const SUBSETS = 1000;
const SUBSET_POINTS = 8_000;
const SHARE_TAG = 0x08;
const PLAIN_BYTES = 8;

/** Throws USAGE unless 2 ≤ t ≤ n ≤ 255. */
export function assertCounts(n: number, t: number): void {
  const whole = Number.isInteger(n) && Number.isInteger(t);
  needs(
    whole && t >= 2 && t <= n && n <= MAX_SHARES,
    'USAGE',
    `${t} of ${n} shares cannot be; there are 2 to ${MAX_SHARES} shares, and the minimum is at least 2 and at most all of them`,
  );
}

/**
 * n shares of 82 bytes, numbered 1 to n, any t of which make the 32-byte key. All of them lie on polynomials of t − 1
 * terms through the key (so that every subset works), and the subsets of t, at most 1000 random ones, were combined.
 * Throws USAGE on the counts, INTERNAL when the package did something else.
 */
export function splitMasterKey(key: Secret, n: number, t: number): Secret[] {
  assertCounts(n, t);
  needs(key.bytes.length === MASTER_KEY_BYTES, 'INTERNAL', 'a master key has 32 bytes');
  const shares = split(key.bytes, { shares: n, threshold: t }).map((raw) => {
    const share = new Secret(Buffer.from(raw));
    raw.fill(0);
    return share;
  });
  needs(shares.length === n, 'INTERNAL', `the split gave ${shares.length} shares for ${n}`);
  const bytes = shares.map((share) => share.bytes);
  for (const [at, share] of bytes.entries()) assertShareOf(key, share, at + 1);
  const first = bytes.slice(0, t);
  for (const share of bytes.slice(t)) {
    needs(continues(first, share), 'INTERNAL', 'the split gave shares that do not belong together');
  }
  for (const subset of subsetsOf(n, t)) {
    using again = combineShares(
      subset.map((at) => bytes[at] as Buffer),
      t,
    );
    needs(equalBytes(again.bytes, key.bytes), 'INTERNAL', 'the split gave shares that combine to another key');
  }
  return shares;
}

/**
 * The 32-byte key of at least t shares of one set: exactly t are combined, twice, and each spare share must lie on the
 * same polynomials. Throws KEYSHARE_INVALID.
 */
export function combineShares(shares: readonly Buffer[], t: number): Secret {
  const whole = shares.every((share) => share.length === SHARE_BYTES && share[0] === SHARE_TAG && share[1] !== 0);
  needs(whole, 'KEYSHARE_INVALID', 'a share does not have the form of scheme sss-gf256-11d/v1');
  const distinct = new Set(shares.map((share) => share[1])).size === shares.length;
  needs(distinct, 'KEYSHARE_INVALID', 'a share is given twice');
  needs(t >= 2 && shares.length >= t, 'KEYSHARE_INVALID', `${shares.length} shares are too few; ${t} are needed`);
  const used = shares.slice(0, t);
  using second = new Secret(decode(used));
  const raw = combine(used);
  const key = new Secret(Buffer.from(raw));
  raw.fill(0);
  needs(equalBytes(key.bytes, second.bytes), 'KEYSHARE_INVALID', 'the two decoders disagree about the shares');
  for (const spare of shares.slice(t)) {
    needs(continues(used, spare), 'KEYSHARE_INVALID', 'a spare share does not belong to the others');
  }
  return key;
}

function continues(shares: readonly Buffer[], other: Buffer): boolean {
  return equalBytes(interpolate(shares, other[1] as number), other.subarray(2));
}

function assertShareOf(key: Secret, share: Buffer, index: number): void {
  const formed = share.length === SHARE_BYTES && share[0] === SHARE_TAG && share[1] === index;
  needs(formed, 'INTERNAL', `share ${index} does not have the form of scheme ${SCHEME}`);
  let plain = 0;
  for (const [at, byte] of key.bytes.entries()) if (share[positionOf(at)] === byte) plain += 1;
  needs(
    plain < PLAIN_BYTES,
    'INTERNAL',
    `share ${index} shows bytes of the master key: the random numbers of the split failed`,
  );
}

/** All subsets of t out of n when they are few, else random ones: 1000, or fewer when t is large and each takes long. */
function* subsetsOf(n: number, t: number): Generator<number[]> {
  const most = Math.min(SUBSETS, Math.ceil(SUBSET_POINTS / t));
  if (choose(n, t) <= most) yield* allSubsets(n, t);
  else for (let count = 0; count < most; count += 1) yield randomSubset(n, t);
}

/** The binomial coefficient; only its size up to a few thousand matters, so rounding of huge ones does not. */
export function choose(n: number, t: number): number {
  let count = 1;
  for (let i = 1; i <= t; i += 1) count = (count * (n - t + i)) / i;
  return count;
}

export function* allSubsets(n: number, t: number, from = 0): Generator<number[]> {
  if (t === 0) yield [];
  else for (let at = from; at <= n - t; at += 1) for (const rest of allSubsets(n, t - 1, at + 1)) yield [at, ...rest];
}

function randomSubset(n: number, t: number): number[] {
  const order = Array.from({ length: n }, (_, at) => at);
  for (let at = 0; at < t; at += 1) {
    const other = at + randomInt(n - at);
    [order[at], order[other]] = [order[other] as number, order[at] as number];
  }
  return order.slice(0, t);
}
