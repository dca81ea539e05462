import { hash } from 'node:crypto';

const CAPACITY = 4_096;

/** What an op needs of a stored row, once it is known to be genuine. */
export interface GenuineRow {
  readonly state: string;
  readonly blob: Buffer;
}

/**
 * Rows whose MAC the token confirmed under the master key that it has now, the least recently used dropped first. The name
 * is the digest of all the bytes, the MAC among them: what was genuine once is so for as long as no byte of it changes.
 */
export class GenuineRows {
  readonly #rows = new Map<string, GenuineRow>();
  #macId: Buffer | undefined;

  /** The row in `stored` (the fields of fields.ts, storedBytes). `confirm` throws unless it is genuine. */
  of(macId: Buffer, stored: Buffer, confirm: () => GenuineRow): GenuineRow {
    if (this.#macId?.equals(macId) !== true) this.#rows.clear();
    this.#macId = macId;
    const name = hash('sha256', stored, 'base64');
    const row = this.#rows.get(name) ?? confirm();
    this.#rows.delete(name);
    this.#rows.set(name, row);
    if (this.#rows.size > CAPACITY) {
      const [oldest] = this.#rows.keys();
      if (oldest !== undefined) this.#rows.delete(oldest);
    }
    return row;
  }

  forget(): void {
    this.#rows.clear();
  }
}
