import { Injectable } from '@nestjs/common';
import { unhurried } from '../database/unhurried.js';
import { GENESIS, hashOf } from './audit-chain.js';
import { AuditLog } from './audit-log.js';

const PAGE = 100;
/** Of one walk: some 100 ms, and three times as long between its pages. */
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
      const next = await unhurried(() => this.#page());
      if (next === 'goes on') continue;
      [this.#size, this.#root, this.#bad] = [0, GENESIS, next];
      return;
    }
  }

  /** At the end of the log null; the number of the first line that is not what the chain demands. */
  async #page(): Promise<'goes on' | number | null> {
    const page = await this.audit.after(this.#size, PAGE);
    for (const line of page) {
      const expected = this.#size + 1;
      const hash = hashOf(line, this.#root);
      if (line.seq !== String(expected) || !hash.equals(line.hash)) return expected;
      [this.#size, this.#root] = [expected, hash];
    }
    return page.length < PAGE ? null : 'goes on';
  }
}
