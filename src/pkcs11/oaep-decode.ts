import { createHash } from 'node:crypto';
import { type Decoded, isZero, keyOf } from './constant-time.js';
import { AES_BYTES, type OaepHash } from './mechanisms.js';

/**
 * EME-OAEP decoding, RFC 8017 section 7.1.2 step 3, for tokens that do raw RSA only. MGF1 over the same hash, no label. It
 * keeps to the rules of constant-time.ts: knowing whether the first byte was zero is enough to decrypt anything in about a
 * thousand tries (Manger 2001).
 */
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
  const { key, fits } = keyOf(decode(encoded, hash), AES_BYTES, substitute);
  return { key, valid: fits };
}

/** Like decodeOaepKey for other lengths; `valid` says whether there is a message, `fits` whether it has such a length. */
export function decodeOaepMaterial(
  encoded: Buffer,
  hash: OaepHash,
  lengths: readonly number[],
  substitute: Buffer,
): { key: Buffer; fits: boolean; valid: boolean } {
  const decoded = decode(encoded, hash);
  return { ...keyOf(decoded, lengths, substitute), valid: decoded.valid === 1 };
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
