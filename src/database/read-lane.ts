import type pg from 'pg';
import type { DataSource } from 'typeorm';
import { ask, ownConnection } from './own-connection.js';

const DEADLINE_MS = 5_000;

/** The reads that come with nearly every request: on a connection that waits for nothing else, planned once. */
export class ReadLane {
  readonly #pool: pg.Pool;

  constructor(db: Pick<DataSource, 'options'>) {
    this.#pool = ownConnection(db, 'keystead-reads', DEADLINE_MS);
  }

  /** The rows of a statement that takes one array; `name` is the statement's alone. */
  rows<Row extends object>(name: string, text: string, ids: readonly (string | Buffer)[]): Promise<Row[]> {
    return ask<Row>(this.#pool, { name, text, values: [ids] });
  }
}
