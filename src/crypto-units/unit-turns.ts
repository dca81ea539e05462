import { setTimeout as after } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';

/** Acts that go on at once in this process; each holds a database connection for as long as its unit takes. */
const MOST_AT_ONCE = 6;
const ASK_AGAIN_MS = 50;

/**
 * One act of administrators at a time on a unit, among all servers of the database: PostgreSQL's advisory lock of the
 * unit, held by the transaction in which the outcome is written. A server that dies loses its locks with its connection,
 * and another one carries on what it left pending.
 */
@Injectable()
export class UnitTurns {
  readonly #lanes = new Map<string, Promise<unknown>>();
  readonly #waiting: (() => void)[] = [];
  #busy = 0;

  constructor(private readonly db: DataSource) {}

  /** Does the work when it is the unit's turn. */
  async wait(unitId: string, work: (tx: EntityManager) => Promise<void>): Promise<void> {
    await this.#inLane(unitId, async () => {
      while (!(await this.#locked(unitId, work))) await after(ASK_AGAIN_MS);
    });
  }

  /** Does the work unless something is done to the unit now, by this server or another one. */
  async unlessBusy(unitId: string, work: (tx: EntityManager) => Promise<void>): Promise<void> {
    if (this.#lanes.has(unitId)) return;
    await this.#inLane(unitId, async () => {
      await this.#locked(unitId, work);
    });
  }

  /** One after the other in this process, without a question to the database. */
  #inLane(unitId: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.#lanes.get(unitId) ?? Promise.resolve()).then(() => this.#limited(work));
    const settled = turn.catch(() => undefined); // the one who asked hears of it
    this.#lanes.set(unitId, settled);
    void settled.then(() => {
      if (this.#lanes.get(unitId) === settled) this.#lanes.delete(unitId);
    });
    return turn;
  }

  async #limited(work: () => Promise<void>): Promise<void> {
    if (this.#busy < MOST_AT_ONCE) this.#busy += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve)); // the place is handed over, not given back
    try {
      await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#busy -= 1;
      else next();
    }
  }

  /** False when another server holds the unit. */
  #locked(unitId: string, work: (tx: EntityManager) => Promise<void>): Promise<boolean> {
    return this.db.transaction(async (tx) => {
      const [row] = await tx.query<{ taken: boolean }[]>(
        'SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS "taken"',
        [`keystead/unit/${unitId}`],
      );
      if (!row?.taken) return false;
      await tx.query('SET LOCAL idle_in_transaction_session_timeout = 0'); // an act may take a minute
      await work(tx);
      return true;
    });
  }
}
