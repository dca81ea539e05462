import { Injectable } from '@nestjs/common';
import { GENESIS, hashOf } from './audit-chain.js';
import { AuditLog } from './audit-log.js';

const PAGE = 250;
/** Of one walk: some 100 ms. */
const MOST_LINES = 5_000;

/** Recomputes the hashes of the whole log, some lines with each walk, and begins anew at its end. */
@Injectable()
export class ChainWatch {
  #size = 0;
  #root: Buffer = GENESIS;
  #bad: number | null = null;

  constructor(private readonly audit: AuditLog) {}

  /** The first line that was not what the chain demands; null while none was found since the last whole way. */
  get bad(): number | null {
    return this.#bad;
  }

  async walk(stopped: () => boolean): Promise<void> {
    for (let lines = 0; lines < MOST_LINES && !stopped(); lines += PAGE) {
      const page = await this.audit.after(this.#size, PAGE);
      for (const line of page) {
        const expected = this.#size + 1;
        const hash = hashOf(line, this.#root);
        if (line.seq !== String(expected) || !hash.equals(line.hash)) return this.#restart(expected);
        [this.#size, this.#root] = [expected, hash];
      }
      if (page.length < PAGE) return this.#restart(null);
    }
  }

  #restart(bad: number | null): void {
    [this.#size, this.#root, this.#bad] = [0, GENESIS, bad];
  }
}
