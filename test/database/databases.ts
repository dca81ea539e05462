import { randomBytes } from 'node:crypto';
import pg from 'pg';

/** A new database on the PostgreSQL of the run, empty or as `how` says, by its URL. */
export async function newDatabase(how = ''): Promise<string> {
  const name = `w_${randomBytes(6).toString('hex')}`;
  await admin(`CREATE DATABASE ${name} ${how}`);
  const url = new URL(process.env['TEST_DATABASE_URL'] ?? '');
  url.pathname = `/${name}`;
  return url.toString();
}

export async function dropDatabase(url: string): Promise<void> {
  await admin(`DROP DATABASE ${nameOf(url)} WITH (FORCE)`);
}

export const nameOf = (url: string) => new URL(url).pathname.slice(1);

async function admin(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: process.env['TEST_DATABASE_URL'] });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
