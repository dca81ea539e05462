import pg from 'pg';
import { KeysteadError, messageOf } from '../shared/errors.js';
import type { DatabaseTarget } from './database-target.js';

/** One connection, for one job beside the server's own. Throws DATABASE_UNAVAILABLE when it cannot be opened. */
export async function openSession(target: DatabaseTarget): Promise<pg.Client> {
  const place =
    'url' in target
      ? { connectionString: target.url }
      : { ...target, user: target.username, application_name: 'keystead' };
  const client = new pg.Client(place);
  client.on('error', () => undefined); // the query that is under way says it
  try {
    await client.connect();
  } catch (cause) {
    throw new KeysteadError('DATABASE_UNAVAILABLE', `cannot connect to the database: ${messageOf(cause)}`, { cause });
  }
  return client;
}

/** The same, closed when the work is done. */
export async function withSession<T>(target: DatabaseTarget, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await openSession(target);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** In one transaction of the kind, which is undone when the work throws. */
export async function inTransaction<T>(client: pg.Client, kind: string, work: () => Promise<T>): Promise<T> {
  await client.query(`BEGIN ${kind}`);
  try {
    const done = await work();
    await client.query('COMMIT');
    return done;
  } catch (cause) {
    await client.query('ROLLBACK');
    throw cause;
  }
}
