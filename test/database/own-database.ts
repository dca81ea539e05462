import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { DataSource } from 'typeorm';
import { dataSourceOptions, openDatabase } from '../../src/database/database.module.js';

export interface OwnDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

/** A new, empty database on the PostgreSQL of the run. */
export async function makeDatabase(): Promise<OwnDatabase> {
  const name = `spec_${randomBytes(6).toString('hex')}`;
  await asAdmin(`CREATE DATABASE ${name}`);
  const url = new URL(process.env['TEST_DATABASE_URL'] ?? '');
  url.pathname = `/${name}`;
  return { url: url.toString(), drop: () => asAdmin(`DROP DATABASE ${name} WITH (FORCE)`) };
}

/** The database as the server opens it: migrated, with the given entities. */
export function openWith(url: string, entities: (new () => object)[]): Promise<DataSource> {
  return openDatabase({ ...dataSourceOptions({ url }, { warn: () => undefined }), entities });
}

async function asAdmin(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: process.env['TEST_DATABASE_URL'] });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
