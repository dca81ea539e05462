import type pg from 'pg';
import type { DataSource } from 'typeorm';
import { ask } from '../database/own-connection.js';
import { Pace } from '../database/pace.js';
import type { KeysteadError } from '../shared/errors.js';
import { GENESIS, hashOf, isoText } from './audit-chain.js';
import { auditConnection, isBadData, refusalOf } from './audit-connection.js';
import type { Prepared } from './audit-entry.js';
import { AuditMeter } from './audit-meter.js';
import type { LogHead } from './audit-record.js';

/** One frame to PostgreSQL; more would only make the first of them wait. */
const MOST_LINES = 500;
/** From the beginning of one write to that of the next (group commit, as PostgreSQL's commit_delay): who comes alone does not wait. */
const APART_MS = 3;
/** So long those who are told may work before others have their turn; each takes from 50 µs (a wrap) to some ms (a page of keys). */
const TURN_MS = 4;
/** Other servers append too: the end of the log may have moved while we were on our way to it. */
const MOST_TRIES = 50;
const NOWHERE: LogHead = { size: -1, root: GENESIS };

interface Waiting {
  readonly entry: Prepared;
  /** By `performance.now()`. */
  readonly since: number;
  readonly done: () => void;
  readonly failed: (cause: unknown) => void;
}

/**
 * Group commit: one write at a time, on a connection of its own and in one round trip, and everybody who comes while it
 * is under way shares the next. When the log cannot be written, all who wait are told at once.
 */
export class AuditLane {
  #waiting: Waiting[] = [];
  #writing = false;
  readonly #pace = new Pace(APART_MS);
  /** Where the log ended when we last wrote. */
  #head = NOWHERE;
  readonly #pool: pg.Pool;

  constructor(
    db: Pick<DataSource, 'options'>,
    private readonly trouble: (refusal: KeysteadError) => void,
    readonly meter = new AuditMeter(),
  ) {
    this.#pool = auditConnection(db);
  }

  /** Lines that wait for the next write. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Fulfilled when the line is durable. Throws AUDIT_UNAVAILABLE, or DATABASE_UNAVAILABLE in an outage. */
  write(entry: Prepared): Promise<void> {
    return new Promise((done, failed) => {
      this.#waiting.push({ entry, since: performance.now(), done, failed });
      if (this.#writing) return;
      this.#writing = true;
      setImmediate(() => void this.#drain()); // whoever comes in the same turn of the event loop joins
    });
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#pace.turn();
      await this.#writeTogether(this.#waiting.splice(0, MOST_LINES));
    }
    this.#writing = false;
  }

  /** When PostgreSQL refuses the data of one line, each is written by itself, so that a bad line fails alone. */
  async #writeTogether(batch: readonly Waiting[]): Promise<void> {
    try {
      await this.#append(batch.map(({ entry }) => entry));
      this.meter.wrote(batch);
      void tell(batch);
    } catch (cause) {
      this.#head = NOWHERE;
      const refusal = refusalOf(cause);
      if (isBadData(cause) && batch.length > 1) {
        for (const one of batch) await this.#writeTogether([one]);
        return;
      }
      for (const { failed } of batch) failed(refusal);
      if (isBadData(cause)) return;
      this.meter.failures += 1;
      for (const { failed } of this.#waiting.splice(0)) failed(refusal);
      this.trouble(refusal);
    }
  }

  async #append(entries: readonly Prepared[]): Promise<void> {
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const { lines, head } = chained(this.#head, entries, new Date());
      const { size, root } = this.#head;
      const values = [size, root, `[${lines.join()}]`];
      const text = 'SELECT "seq", "hash" FROM "audit_append"($1, $2, $3)';
      const [found] = await ask<{ seq: string; hash: Buffer | null }>(this.#pool, {
        name: 'audit-append',
        text,
        values,
      });
      const before = { size: Number(found?.seq), root: found?.hash ?? GENESIS };
      const appended = before.size === size && before.root.equals(root);
      this.#head = appended ? head : before;
      if (appended) return;
    }
    throw new Error(`other servers were first ${MOST_TRIES} times`);
  }
}

/** Some in each turn of the event loop, which would stand still while hundreds of answers are made. */
async function tell(batch: readonly Waiting[]): Promise<void> {
  let since = performance.now();
  for (const { done } of batch) {
    done();
    await new Promise<void>(process.nextTick); // what it does now is done by then
    if (performance.now() - since < TURN_MS) continue;
    await new Promise(setImmediate);
    since = performance.now();
  }
}

/** The entries as lines after the head, as JSON says them to PostgreSQL, and the head after them. */
function chained(head: LogHead, entries: readonly Prepared[], at: Date): { lines: string[]; head: LogHead } {
  let { size, root } = head;
  const lines = entries.map((entry) => {
    size += 1;
    const line = Object.assign({ seq: String(size), at, hash: '' }, entry); // no spread: docs/decisions/0008
    root = hashOf(line, root);
    return JSON.stringify(Object.assign(line, { at: isoText(at), hash: `\\x${root.toString('hex')}` }));
  });
  return { lines, head: { size, root } };
}
