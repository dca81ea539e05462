import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, LessThan, MoreThan } from 'typeorm';
import { databaseOutage } from '../database/outage.js';
import { KeysteadError, messageOf } from '../shared/errors.js';
import { canonicalJson, GENESIS, hashOf } from './audit-chain.js';
import { AuditLine } from './audit-line.entity.js';

/** What is told of an act. `by` names who asked; `detail` holds no secret and no bytes. */
export interface AuditEntry {
  readonly act: string;
  readonly outcome: 'success' | 'failure';
  readonly by: string;
  readonly instanceId?: string | undefined;
  readonly unitId?: string | undefined;
  readonly target?: string | undefined;
  readonly detail?: object | undefined;
}

/** A line as it is shown: `seq` a number, `detail` parsed, `hash` 64 hex digits. */
export interface ShownLine {
  readonly seq: number;
  readonly at: string;
  readonly act: string;
  readonly outcome: 'success' | 'failure';
  readonly by: string;
  readonly instanceId: string | null;
  readonly unitId: string | null;
  readonly target: string | null;
  readonly detail: unknown;
  readonly hash: string;
}

/** `badSeq` is the first line whose hash or number is not what the chain demands; null when all are good. */
export interface ChainReport {
  readonly lines: number;
  readonly badSeq: number | null;
  /** Hash of the last line, hex: write it down elsewhere and a cut-off end of the chain shows too. */
  readonly head: string;
}

/** Key of the advisory lock that makes one chain of all appends, of every server on the database. */
const CHAIN_LOCK = 0x6b7361; // 'ksa'
const WALK_PAGE = 1000;
const LIST_LIMIT = 1000;
/** Parameters of one INSERT are at most 65,535, and a line has ten. */
const LINES_PER_INSERT = 500;

/** An entry as it goes into the table, but for its place in the chain. */
type Prepared = Omit<AuditLine, 'seq' | 'at' | 'hash'>;

interface Waiting {
  readonly entry: Prepared;
  readonly done: () => void;
  readonly failed: (cause: unknown) => void;
}

/**
 * The audit log: append-only and hash-chained.
 *
 * `append` writes in the transaction of the act, so both are durable or neither. It takes the chain's lock until the
 * commit: append last, and do no slow work after it.
 * `record` is for acts that change no row (use of a key, a refusal): it is durable when the promise fulfils. Calls that
 * come while a write is under way share the next one (group commit). Never await it inside a transaction that appended:
 * it would wait for that transaction's lock.
 */
@Injectable()
export class AuditLog {
  #waiting: Waiting[] = [];
  #writing = false;

  constructor(private readonly db: DataSource) {}

  /** Appends one line in the caller's transaction. Throws AUDIT_UNAVAILABLE, or DATABASE_UNAVAILABLE in an outage: the act must then fail. */
  async append(tx: EntityManager, entry: AuditEntry): Promise<void> {
    await this.#write(tx, [prepared(entry)]);
  }

  /** Appends one line in a transaction of its own, shared with others that wait. Errors as for `append`. */
  record(entry: AuditEntry): Promise<void> {
    return new Promise((done, failed) => {
      this.#waiting.push({ entry: prepared(entry), done, failed });
      if (!this.#writing) void this.#drain();
    });
  }

  /** The newest lines first, those before `before` when it is given; at most 1000, 100 when `limit` is not given. */
  async list({
    limit = 100,
    before,
  }: {
    limit?: number | undefined;
    before?: number | undefined;
  } = {}): Promise<ShownLine[]> {
    const lines = await this.db.manager.find(AuditLine, {
      ...(before !== undefined && { where: { seq: LessThan(String(before)) } }),
      order: { seq: 'DESC' },
      take: Math.min(limit, LIST_LIMIT),
    });
    return lines.map(show);
  }

  /** Walks the whole chain and recomputes every hash. */
  async verifyChain(): Promise<ChainReport> {
    let lines = 0;
    let previous = GENESIS;
    for (;;) {
      const page = await this.#page(lines);
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
  #page(seq: number): Promise<AuditLine[]> {
    return this.db.manager.find(AuditLine, {
      ...(seq > 0 && { where: { seq: MoreThan(String(seq)) } }),
      order: { seq: 'ASC' },
      take: WALK_PAGE,
    });
  }

  async #drain(): Promise<void> {
    this.#writing = true;
    while (this.#waiting.length > 0) await this.#writeTogether(this.#waiting.splice(0, LINES_PER_INSERT));
    this.#writing = false;
  }

  /** One transaction for all; when the database refuses it, one for each, so that a bad line fails alone. */
  async #writeTogether(batch: readonly Waiting[]): Promise<void> {
    const entries = batch.map(({ entry }) => entry);
    try {
      await this.db.transaction((tx) => this.#write(tx, entries));
      for (const { done } of batch) done();
    } catch (cause) {
      const refusal = refusalOf(cause);
      if (batch.length > 1 && refusal.code === 'AUDIT_UNAVAILABLE') {
        for (const one of batch) await this.#writeTogether([one]);
      } else {
        for (const { failed } of batch) failed(refusal);
      }
    }
  }

  async #write(tx: EntityManager, entries: readonly Prepared[]): Promise<void> {
    try {
      await tx.query('SELECT pg_advisory_xact_lock($1)', [CHAIN_LOCK]);
      const [last] = await tx.query<{ seq: string; hash: Buffer }[]>(
        'SELECT "seq", "hash" FROM "audit_lines" ORDER BY "seq" DESC LIMIT 1',
      );
      let seq = BigInt(last?.seq ?? 0);
      let previous = last?.hash ?? GENESIS;
      const at = new Date();
      const lines = entries.map((entry) => {
        seq += 1n;
        const line = { ...entry, seq: String(seq), at };
        previous = hashOf(line, previous);
        return { ...line, hash: previous };
      });
      await tx.insert(AuditLine, lines);
    } catch (cause) {
      throw refusalOf(cause);
    }
  }
}

function prepared(entry: AuditEntry): Prepared {
  return {
    act: entry.act,
    outcome: entry.outcome,
    by: entry.by,
    instanceId: entry.instanceId ?? null,
    unitId: entry.unitId ?? null,
    target: entry.target ?? null,
    detail: entry.detail === undefined ? null : canonicalJson(entry.detail),
  };
}

function show({ seq, at, detail, hash, ...rest }: AuditLine): ShownLine {
  return {
    seq: Number(seq),
    at: at.toISOString(),
    ...rest,
    detail: detail === null ? null : JSON.parse(detail),
    hash: hash.toString('hex'),
  };
}

function refusalOf(cause: unknown): KeysteadError {
  if (cause instanceof KeysteadError) return cause;
  const outage = databaseOutage(cause);
  if (outage !== undefined) return outage;
  return new KeysteadError('AUDIT_UNAVAILABLE', `the audit log cannot be written: ${messageOf(cause)}`, { cause });
}
