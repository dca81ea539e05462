import pg from 'pg';
import type { DataSource } from 'typeorm';
import { databaseOutage } from '../database/outage.js';
import { KeysteadError, messageOf } from '../shared/errors.js';

/** A request is answered within 2 s, whatever the database does: what is not written by then counts as not writable. */
export const WRITE_DEADLINE_MS = 1_500;
/** On our side too: a stopped server enforces no timeout. */
const QUERY_DEADLINE_MS = WRITE_DEADLINE_MS + 200;
const IDLE_MS = 10_000;

/** Key of the advisory lock that makes one chain of all appends, of every server on the database. */
export const CHAIN_LOCK = 0x6b7361; // 'ksa'

/** A connection of its own to the database of the data source: it waits for nobody's queries, and its queries end in time. */
export function ownConnection(db: Pick<DataSource, 'options'>): pg.Pool {
  const { url, host, port, username, password, database } = { ...db.options } as Record<string, unknown>;
  const place = url === undefined ? { host, port, user: username, password, database } : { connectionString: url };
  const pool = new pg.Pool({
    ...(place as pg.PoolConfig),
    application_name: 'keystead-audit',
    max: 1,
    allowExitOnIdle: true,
    idleTimeoutMillis: IDLE_MS,
    connectionTimeoutMillis: WRITE_DEADLINE_MS,
    statement_timeout: WRITE_DEADLINE_MS,
    query_timeout: QUERY_DEADLINE_MS,
    keepAlive: true,
  });
  // A connection broke. In use: its query says so. Idle: the next query opens another, or says that it cannot.
  pool.on('connect', (client) => client.on('error', () => undefined));
  pool.on('error', () => undefined);
  return pool;
}

/** Asks on a connection that is closed when the question fails: after a timeout its answer may still come. */
export async function ask<Row extends pg.QueryResultRow>(pool: pg.Pool, query: pg.QueryConfig): Promise<Row[]> {
  const client = await pool.connect();
  try {
    const { rows } = await client.query<Row>(query);
    client.release();
    return rows;
  } catch (cause) {
    client.release(true);
    throw cause;
  }
}

/** DATABASE_UNAVAILABLE in an outage, else AUDIT_UNAVAILABLE; a KeysteadError stays what it is. */
export function refusalOf(cause: unknown): KeysteadError {
  if (cause instanceof KeysteadError) return cause;
  const outage = databaseOutage(cause);
  if (outage !== undefined) return outage;
  return new KeysteadError('AUDIT_UNAVAILABLE', `the audit log cannot be written: ${messageOf(cause)}`, { cause });
}

/** Whether PostgreSQL refused the data (SQLSTATE class 22) and not the writing. */
export function isBadData(cause: unknown): boolean {
  const { code } = (cause ?? {}) as { code?: unknown };
  return typeof code === 'string' && code.startsWith('22');
}
