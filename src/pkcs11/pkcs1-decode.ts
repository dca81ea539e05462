import { type Decoded, isLess, isZero, keyOf } from './constant-time.js';

/** At least this many bytes other than zero stand between 0x00 0x02 and the zero before the message. */
const LEAST_PADDING_BYTES = 8;
const HEAD_BYTES = 2;

/**
 * EME-PKCS1-v1_5 decoding, RFC 8017 section 7.2.2 step 3, under the rules of constant-time.ts. Anything that tells a message
 * that is well padded from one that is not decrypts what others sent (Bleichenbacher 1998), so there is one answer: the
 * key in the encoded message, when it has one of the lengths, and after the same work the substitute otherwise.
 */
export function decodePkcs1Key(
  encoded: Buffer,
  lengths: readonly number[],
  substitute: Buffer,
): { key: Buffer; fits: boolean } {
  return keyOf(decode(encoded), lengths, substitute);
}

/** An encoded message is 0x00 ‖ 0x02 ‖ bytes other than zero ‖ 0x00 ‖ message. */
function decode(encoded: Buffer): Decoded {
  const block = Buffer.from(encoded);
  let wrong = (block[0] ?? 1) | ((block[1] ?? 0) ^ 2);
  let looking = 1;
  let mark = 0;
  for (let i = HEAD_BYTES; i < block.length; i += 1) {
    const isMark = isZero(block[i] ?? 0);
    mark |= i & -(looking & isMark);
    looking &= isMark ^ 1;
  }
  wrong |= looking | isLess(mark, HEAD_BYTES + LEAST_PADDING_BYTES);
  return { valid: isZero(wrong), block, length: block.length - mark - 1 };
}
