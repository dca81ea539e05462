import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import { DataSource } from 'typeorm';
import { LOG } from '../config/log.js';
import { KeysteadError } from '../shared/errors.js';
import { RecentMap } from '../shared/recent-map.js';

/** Encryptions with random 96-bit IVs under one key: NIST SP 800-38D, section 8.3. */
export const MOST_WRAPS = 2 ** 32;
/** From here on it is time to rotate, and that is said now and then. */
const MANY_WRAPS = MOST_WRAPS / 2;
const WARN_EVERY = 2 ** 24;
const BLOCK = 1_024;
const MOST_VERSIONS = 10_000;

interface Reserve {
  left: number;
  /** Under way, for all who wait. */
  more: Promise<void> | undefined;
}

const none = (): Reserve => ({ left: 0, more: undefined });

/**
 * Counts encryptions per key version. A process reserves a block of them in the database and spends it from memory; what
 * it has not spent when it ends is lost, which counts too many and never too few.
 */
@Injectable()
export class WrapCounter {
  readonly #reserves = new RecentMap<Reserve>(MOST_VERSIONS);

  constructor(
    private readonly db: DataSource,
    @Inject(LOG) private readonly log: Pick<Logger, 'warn'>,
  ) {}

  /** Spends one encryption of the version: at once, while there is a reserve. KEY_STATE when it has had all it may. */
  spend(versionId: string): void | Promise<void> {
    const reserve = this.#reserves.of(versionId, none);
    if (reserve.left < 1) return this.#spendOfMore(versionId, reserve);
    reserve.left -= 1;
  }

  async #spendOfMore(versionId: string, reserve: Reserve): Promise<void> {
    while (reserve.left < 1) {
      reserve.more ??= this.#take(versionId, reserve).finally(() => {
        reserve.more = undefined;
      });
      await reserve.more;
    }
    reserve.left -= 1;
  }

  async #take(versionId: string, reserve: Reserve): Promise<void> {
    const [rows] = await this.db.query<[{ keyId: string; wraps: string }[], number]>(
      `UPDATE "key_versions" SET "wraps" = "wraps" + $2 WHERE "id" = $1 AND "wraps" + $2 <= $3 RETURNING "keyId", "wraps"`,
      [versionId, BLOCK, MOST_WRAPS],
    );
    const [taken] = rows;
    if (taken === undefined) {
      throw new KeysteadError(
        'KEY_STATE',
        'this version of the key has encrypted 2^32 times, which is all it may: rotate the key',
      );
    }
    reserve.left += BLOCK;
    const wraps = Number(taken.wraps);
    if (wraps >= MANY_WRAPS && (wraps - MANY_WRAPS) % WARN_EVERY < BLOCK) {
      this.log.warn({ event: 'key-version-half-spent', key: taken.keyId, version: versionId, wraps, most: MOST_WRAPS });
    }
  }
}
