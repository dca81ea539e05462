import { Injectable } from '@nestjs/common';
import { KeysteadError } from '../shared/errors.js';

export interface IntegrityReport {
  /** When the last walk over all rows ended; null before the first. */
  readonly checkedAt: Date | null;
  /** Rows that the last walk looked at. */
  readonly rows: number;
  /** Ids of keys whose stored rows were changed behind Keystead's back, as the last walk and use found them. */
  readonly invalid: readonly string[];
}

const NONE: ReadonlySet<string> = new Set();

/** What this process knows of the integrity of stored keys: health shows it. */
@Injectable()
export class KeyIntegrity {
  #checkedAt: Date | null = null;
  #rows = 0;
  #invalid = new Set<string>();
  #untold = NONE;

  report(): IntegrityReport {
    const invalid = [...new Set([...this.#invalid, ...this.#untold])].sort();
    return { checkedAt: this.#checkedAt, rows: this.#rows, invalid };
  }

  /** A unit refused the row of this key. */
  suspect(keyId: string): void {
    this.#invalid.add(keyId);
  }

  /** KEY_ROW_INVALID when the last walk found the key to be another than the audit log tells: its MAC may be a good one. */
  assertAsTold(keyId: string): void {
    if (!this.#untold.has(keyId)) return;
    const message = `the stored row of key ${keyId} is not what the audit log tells of it; restore it`;
    throw new KeysteadError('KEY_ROW_INVALID', message);
  }

  /** A walk over all rows has ended: what it found is what is true. `untold`: keys that are not as the audit log tells. */
  walked(rows: number, invalid: ReadonlySet<string>, untold: ReadonlySet<string> = NONE): void {
    this.#checkedAt = new Date();
    this.#rows = rows;
    this.#invalid = new Set(invalid);
    this.#untold = untold;
  }
}
