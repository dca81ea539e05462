import pg from 'pg';
import type { DataSource } from 'typeorm';

/** The server enforces no deadline while it is stopped, so there is one on our side too, a little later. */
const OUR_PATIENCE_MS = 200;
const IDLE_MS = 10_000;

/**
 * A connection of its own to the database of the data source: it waits for nobody's queries, and its queries end in time.
 * It is opened when it is first used.
 */
export function ownConnection(db: Pick<DataSource, 'options'>, name: string, deadlineMs: number): pg.Pool {
  const { url, host, port, username, password, database } = { ...db.options } as Record<string, unknown>;
  const place = url === undefined ? { host, port, user: username, password, database } : { connectionString: url };
  const pool = new pg.Pool({
    ...(place as pg.PoolConfig),
    application_name: name,
    max: 1,
    allowExitOnIdle: true,
    idleTimeoutMillis: IDLE_MS,
    connectionTimeoutMillis: deadlineMs,
    statement_timeout: deadlineMs,
    query_timeout: deadlineMs + OUR_PATIENCE_MS,
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
