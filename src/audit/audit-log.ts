import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { KeysteadError } from '../shared/errors.js';
import { GENESIS, hashOf } from './audit-chain.js';
import { CHAIN_LOCK, isBadData, refusalOf, WRITE_DEADLINE_MS } from './audit-connection.js';
import { type AuditEntry, type Prepared, prepared } from './audit-entry.js';
import { AuditLane } from './audit-lane.js';
import { AuditLine } from './audit-line.entity.js';
import { type AuditFilter, listLines, type ShownLine } from './audit-list.js';
import type { AuditMeter } from './audit-meter.js';
import type { AuditRecord, LogHead } from './audit-record.js';

export type { AuditEntry } from './audit-entry.js';
export type { ShownLine } from './audit-list.js';

/** `badSeq` is the first line whose hash or number is not what the chain demands; null when all are good. */
export interface ChainReport {
  readonly lines: number;
  readonly badSeq: number | null;
  /** Hash of the last line, hex: write it down elsewhere and a cut-off end of the chain shows too. */
  readonly head: string;
}

const WALK_PAGE = 1000;
/** The table has what a record has, under the same names: making entities of many lines takes longer than reading them. */
const FIRST_LINES = 'SELECT * FROM "audit_lines" ORDER BY "seq" LIMIT $1';
const NEXT_LINES = 'SELECT * FROM "audit_lines" WHERE "seq" > $2 ORDER BY "seq" LIMIT $1';
/** A server that stops in the middle of its transaction must not keep the chain's lock from the others. */
const IDLE_TRANSACTION_MS = 5_000;

/**
 * The audit log: append-only and hash-chained.
 *
 * `append` writes in the transaction of the act, so both are durable or neither. It takes the chain's lock until the
 * commit: append last, and do no slow work after it.
 * `record` is for acts that change no row (use of a key, a refusal): it is durable when the promise fulfils. Calls that
 * come while a write is under way share the next one (group commit). Never await it inside a transaction that appended:
 * it would wait for that transaction's lock.
 * Neither waits longer than 1.5 s for the log.
 */
@Injectable()
export class AuditLog {
  readonly #lane: AuditLane;
  /** Told when the log could not be written; the watch sets it. */
  onTrouble: (refusal: KeysteadError) => void = () => undefined;

  constructor(private readonly db: DataSource) {
    this.#lane = new AuditLane(db, (refusal) => this.onTrouble(refusal));
  }

  get meter(): AuditMeter {
    return this.#lane.meter;
  }

  /** Lines that wait for the next group commit. */
  get waiting(): number {
    return this.#lane.waiting;
  }

  /** Appends one line in the caller's transaction. Throws AUDIT_UNAVAILABLE, or DATABASE_UNAVAILABLE in an outage: the act must then fail. */
  async append(tx: EntityManager, entry: AuditEntry): Promise<void> {
    const line = prepared(entry);
    try {
      await this.#append(tx, line);
      this.meter.lines.act += 1;
    } catch (cause) {
      const refusal = refusalOf(cause);
      if (!isBadData(cause)) this.onTrouble(refusal);
      throw refusal;
    }
  }

  /** Appends one line in a transaction of its own, shared with others that wait. Errors as for `append`. */
  async record(entry: AuditEntry): Promise<void> {
    await this.#lane.write(prepared(entry));
  }

  /** The number that the next line has at least: what was changed with it was changed after all lines that are there. */
  async nextSeq(tx: EntityManager = this.db.manager): Promise<string> {
    const [row] = await tx.query<{ next: string }[]>('SELECT coalesce(max("seq"), 0) + 1 AS "next" FROM "audit_lines"');
    return row?.next ?? '1';
  }

  /** The newest lines first, those before `before` when it is given, that the filter lets through; at most 1000, 100 when `limit` is not given. */
  list(filter: AuditFilter = {}): Promise<ShownLine[]> {
    return listLines(this.db.manager, filter);
  }

  /** The lines after the first `size`, in their order; at most `limit`. */
  after(size: number, limit: number): Promise<AuditRecord[]> {
    return this.#page(size, limit);
  }

  /** Where the log ends now. */
  async head(): Promise<LogHead> {
    const [last] = await this.db.manager.find(AuditLine, { order: { seq: 'DESC' }, take: 1 });
    return last === undefined ? { size: 0, root: GENESIS } : { size: Number(last.seq), root: last.hash };
  }

  /** The hash of line `size`, which the log may not have; GENESIS for 0. */
  async rootAt(size: number): Promise<Buffer | undefined> {
    if (size === 0) return GENESIS;
    return (await this.db.manager.findOneBy(AuditLine, { seq: String(size) }))?.hash;
  }

  /** Walks the whole chain and recomputes every hash. */
  async verifyChain(): Promise<ChainReport> {
    let lines = 0;
    let previous = GENESIS;
    for (;;) {
      const page = await this.#page(lines, WALK_PAGE);
      for (const line of page) {
        const expected = lines + 1;
        if (line.seq !== String(expected) || !hashOf(line, previous).equals(line.hash)) {
          return { lines, badSeq: Math.min(expected, Number(line.seq)), head: previous.toString('hex') };
        }
        lines = expected;
        previous = line.hash;
      }
      if (page.length < WALK_PAGE) return { lines, badSeq: null, head: previous.toString('hex') };
    }
  }

  /** The lines after `seq`; after 0 also those that have no right to be there, numbered 0 or less. */
  #page(seq: number, limit: number): Promise<AuditRecord[]> {
    return this.db.query<AuditRecord[]>(seq > 0 ? NEXT_LINES : FIRST_LINES, seq > 0 ? [limit, seq] : [limit]);
  }

  async #append(tx: EntityManager, entry: Prepared): Promise<void> {
    await tx.query(
      `SELECT set_config('lock_timeout', $2, true), set_config('idle_in_transaction_session_timeout', $3, true),
              pg_advisory_xact_lock($1)`,
      [CHAIN_LOCK, String(WRITE_DEADLINE_MS), String(IDLE_TRANSACTION_MS)],
    );
    const [last] = await tx.query<{ seq: string; hash: Buffer }[]>(
      'SELECT "seq", "hash" FROM "audit_lines" ORDER BY "seq" DESC LIMIT 1',
    );
    const line = { ...entry, seq: String(BigInt(last?.seq ?? 0) + 1n), at: new Date() };
    await tx.insert(AuditLine, { ...line, hash: hashOf(line, last?.hash ?? GENESIS) });
  }
}
