import { createHash } from 'node:crypto';
import { AES_BYTES, type OaepHash } from './mechanisms.js';

/**
 * EME-OAEP decoding, RFC 8017 section 7.1.2 step 3, for tokens that do raw RSA only. MGF1 over the same hash, no label.
 *
 * Which of the checks failed must not be seen, in time or otherwise: knowing whether the first byte was zero is enough to
 * decrypt anything in about a thousand tries (Manger 2001). So nothing here branches on, or indexes by, what was decrypted: every
 * byte is looked at, and outcomes are numbers (1 or 0) that are combined at the end. Only the length of a message that is
 * valid shows. JavaScript promises no constant time all the same; what closes this door is that a pair burns after a few
 * failures.
 */
interface Decoded {
  /** 1 or 0. */
  readonly valid: number;
  /** The data block; the message is its tail. */
  readonly block: Buffer;
  /** Of the message, in bytes; meaningless when not valid. */
  readonly length: number;
}

const HASHES = {
  'SHA-256': { name: 'sha256', bytes: 32 },
  'SHA-1': { name: 'sha1', bytes: 20 },
} as const satisfies Record<OaepHash, object>;

/** The message in an encoded one as long as the modulus; undefined when it is not valid, whatever the reason. */
export function decodeOaep(encoded: Buffer, hash: OaepHash): Buffer | undefined {
  const { valid, block, length } = decode(encoded, hash);
  return valid === 1 ? Buffer.from(block.subarray(block.length - length)) : undefined;
}

/**
 * The AES key (16, 24 or 32 bytes) in an encoded message. When that is not valid or no AES key, the same work gives the
 * substitute (32 bytes) and `valid` is false: go on with it, and refuse at the very end.
 */
export function decodeOaepKey(encoded: Buffer, hash: OaepHash, substitute: Buffer): { key: Buffer; valid: boolean } {
  const decoded = decode(encoded, hash);
  const fits = AES_BYTES.reduce((any, bytes) => any | isZero(decoded.length ^ bytes), 0);
  const valid = decoded.valid & fits;
  const length = select(valid, decoded.length, substitute.length);
  const tail = decoded.block.subarray(decoded.block.length - length);
  const key = Buffer.alloc(length);
  for (let i = 0; i < length; i += 1) key[i] = select(valid, tail[i] ?? 0, substitute[i] ?? 0);
  decoded.block.fill(0);
  return { key, valid: valid === 1 };
}

/** An encoded message is 0x00 ‖ masked seed ‖ masked block; a block is hash of the label ‖ zeros ‖ 0x01 ‖ message. */
function decode(encoded: Buffer, hash: OaepHash): Decoded {
  const { name, bytes } = HASHES[hash];
  if (encoded.length < 2 * bytes + 2) return { valid: 0, block: Buffer.alloc(0), length: 0 }; // as public as the modulus
  const maskedBlock = encoded.subarray(1 + bytes);
  const seed = xor(encoded.subarray(1, 1 + bytes), mgf1(maskedBlock, bytes, name));
  const block = xor(maskedBlock, mgf1(seed, maskedBlock.length, name));
  const noLabel = createHash(name).digest();

  let wrong = encoded[0] ?? 0;
  for (let i = 0; i < bytes; i += 1) wrong |= (block[i] ?? 0) ^ (noLabel[i] ?? 0);
  let looking = 1;
  let mark = 0;
  for (let i = bytes; i < block.length; i += 1) {
    const byte = block[i] ?? 0;
    const isMark = isZero(byte ^ 1);
    mark |= i & -(looking & isMark);
    wrong |= looking & (isMark ^ 1) & (isZero(byte) ^ 1);
    looking &= isMark ^ 1;
  }
  return { valid: isZero(wrong | looking), block, length: block.length - mark - 1 };
}

/** MGF1, RFC 8017 appendix B.2.1. */
function mgf1(seed: Buffer, length: number, hash: string): Buffer {
  const counter = Buffer.alloc(4);
  const pieces: Buffer[] = [];
  for (let have = 0, i = 0; have < length; i += 1) {
    counter.writeUInt32BE(i);
    const piece = createHash(hash).update(seed).update(counter).digest();
    pieces.push(piece);
    have += piece.length;
  }
  return Buffer.concat(pieces, length);
}

function xor(a: Buffer, b: Buffer): Buffer {
  const out = Buffer.alloc(a.length);
  for (let i = 0; i < a.length; i += 1) out[i] = (a[i] ?? 0) ^ (b[i] ?? 0);
  return out;
}

/** 1 for zero, 0 for any other number below 2^31, without a branch. */
function isZero(number: number): number {
  return (number - 1) >>> 31;
}

/** `yes` for a bit of 1, `no` for 0, without a branch. */
function select(bit: number, yes: number, no: number): number {
  return (yes & -bit) | (no & (bit - 1));
}
