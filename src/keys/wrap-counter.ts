import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { KeysteadError } from '../shared/errors.js';

/** Encryptions with random 96-bit IVs under one key: NIST SP 800-38D, section 8.3. */
export const MOST_WRAPS = 2 ** 32;
const BLOCK = 1_024;
const MOST_VERSIONS = 10_000;

interface Reserve {
  left: number;
  /** Under way, for all who wait. */
  more: Promise<void> | undefined;
}

/**
 * Counts encryptions per key version. A process reserves a block of them in the database and spends it from memory; what
 * it has not spent when it ends is lost, which counts too many and never too few.
 */
@Injectable()
export class WrapCounter {
  readonly #reserves = new Map<string, Reserve>();

  constructor(private readonly db: DataSource) {}

  /** Spends one encryption of the version. KEY_STATE when it has had all it may. */
  async spend(versionId: string): Promise<void> {
    const reserve = this.#reserveOf(versionId);
    while (reserve.left < 1) {
      reserve.more ??= this.#take(versionId, reserve).finally(() => {
        reserve.more = undefined;
      });
      await reserve.more;
    }
    reserve.left -= 1;
  }

  #reserveOf(versionId: string): Reserve {
    const known = this.#reserves.get(versionId) ?? { left: 0, more: undefined };
    this.#reserves.delete(versionId); // the one used last stands last
    this.#reserves.set(versionId, known);
    if (this.#reserves.size > MOST_VERSIONS) {
      const [oldest] = this.#reserves.keys();
      if (oldest !== undefined) this.#reserves.delete(oldest);
    }
    return known;
  }

  async #take(versionId: string, reserve: Reserve): Promise<void> {
    const [, taken] = await this.db.query<[unknown[], number]>(
      `UPDATE "key_versions" SET "wraps" = "wraps" + $2 WHERE "id" = $1 AND "wraps" + $2 <= $3`,
      [versionId, BLOCK, MOST_WRAPS],
    );
    if (taken === 0) {
      throw new KeysteadError(
        'KEY_STATE',
        'this version of the key has encrypted 2^32 times, which is all it may: rotate the key',
      );
    }
    reserve.left += BLOCK;
  }
}
