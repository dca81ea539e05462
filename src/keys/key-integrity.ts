import { Injectable } from '@nestjs/common';

export interface IntegrityReport {
  /** When the last walk over all rows ended; null before the first. */
  readonly checkedAt: Date | null;
  /** Rows that the last walk looked at. */
  readonly rows: number;
  /** Ids of keys whose stored rows were changed behind Keystead's back, as the last walk and use found them. */
  readonly invalid: readonly string[];
}

/** What this process knows of the integrity of stored keys: health shows it. */
@Injectable()
export class KeyIntegrity {
  #checkedAt: Date | null = null;
  #rows = 0;
  #invalid = new Set<string>();

  report(): IntegrityReport {
    return { checkedAt: this.#checkedAt, rows: this.#rows, invalid: [...this.#invalid].sort() };
  }

  /** A unit refused the row of this key. */
  suspect(keyId: string): void {
    this.#invalid.add(keyId);
  }

  /** A walk over all rows has ended: what it found is what is true. */
  walked(rows: number, invalid: ReadonlySet<string>): void {
    this.#checkedAt = new Date();
    this.#rows = rows;
    this.#invalid = new Set(invalid);
  }
}
