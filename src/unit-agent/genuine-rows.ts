import { hash } from 'node:crypto';
import { RecentMap } from '../shared/recent-map.js';

const CAPACITY = 4_096;

/** What an op needs of a stored row, once it is known to be genuine. */
export interface GenuineRow {
  readonly state: string;
  readonly blob: Buffer;
}

/**
 * Rows whose MAC the token confirmed under the master key that it has now. The name is the digest of all the bytes, the MAC
 * among them: what was genuine once is so for as long as no byte of it changes.
 */
export class GenuineRows {
  readonly #rows = new RecentMap<GenuineRow>(CAPACITY);
  #macId: Buffer | undefined;

  /** The row in `stored` (the fields of fields.ts, storedBytes). `confirm` throws unless it is genuine. */
  of(macId: Buffer, stored: Buffer, confirm: () => GenuineRow): GenuineRow {
    if (this.#macId?.equals(macId) !== true) this.#rows.clear();
    this.#macId = macId;
    return this.#rows.of(hash('sha256', stored, 'base64'), confirm);
  }

  forget(): void {
    this.#rows.clear();
  }
}
