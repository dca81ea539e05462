/**
 * What came out of the padding of an encrypted message. Whether it is valid, and which of the checks failed, must not be seen
 * in time or otherwise, so nothing branches on, or indexes by, what was decrypted: every byte is looked at, and outcomes are
 * numbers (1 or 0) that are combined at the end. Only the length of a message that is valid shows. JavaScript promises no
 * constant time all the same; what closes this door is that a pair burns after a few failures.
 */
export interface Decoded {
  /** 1 or 0. */
  readonly valid: number;
  /** The bytes of which the message is the tail. */
  readonly block: Buffer;
  /** Of the message, in bytes; meaningless when not valid. */
  readonly length: number;
}

/**
 * The key in a decoded message, when that is valid and has one of the lengths; otherwise the same work gives the substitute,
 * and `fits` is false: go on with it, and refuse at the very end. The block is wiped.
 */
export function keyOf(
  { valid, block, length }: Decoded,
  lengths: readonly number[],
  substitute: Buffer,
): { key: Buffer; fits: boolean } {
  const possible = lengths.reduce((any, bytes) => any | isZero(length ^ bytes), 0);
  const fits = valid & possible;
  const bytes = select(fits, length, substitute.length);
  const tail = block.subarray(block.length - bytes);
  const key = Buffer.alloc(bytes);
  for (let i = 0; i < bytes; i += 1) key[i] = select(fits, tail[i] ?? 0, substitute[i] ?? 0);
  block.fill(0);
  return { key, fits: fits === 1 };
}

/** 1 for zero, 0 for any other number below 2^31, without a branch. */
export function isZero(number: number): number {
  return (number - 1) >>> 31;
}

/** 1 when `a` is less than `b`, both below 2^31, otherwise 0, without a branch. */
export function isLess(a: number, b: number): number {
  return (a - b) >>> 31;
}

/** `yes` for a bit of 1, `no` for 0, without a branch. */
function select(bit: number, yes: number, no: number): number {
  return (yes & -bit) | (no & (bit - 1));
}
