import { KeysteadError } from '../shared/errors.js';
import type { Session } from './session-pool.js';

/** Compared by a repetition test: as many bytes as two healthy answers never share. */
const COMPARED_BYTES = 16;

/**
 * The token's random numbers under the two cheapest health tests: an answer that repeats the last one, or that is one byte
 * over and over, is a fault of the unit (after the repetition count test of NIST SP 800-90B section 4.4.1).
 */
export class TokenRandom {
  #last = Buffer.alloc(0);

  /** `length` bytes of C_GenerateRandom. Throws UNIT_FAULT when they are not random. */
  next({ lib, handle }: Session, length: number): Buffer {
    const bytes = lib.C_GenerateRandom(handle, Buffer.alloc(length));
    if (length < COMPARED_BYTES) return bytes;
    const head = Buffer.from(bytes.subarray(0, COMPARED_BYTES));
    if (head.equals(this.#last) || head.every((byte) => byte === head[0])) {
      throw new KeysteadError(
        'UNIT_FAULT',
        'the random number generator of the token repeats itself; replace the unit',
      );
    }
    this.#last = head;
    return bytes;
  }
}
