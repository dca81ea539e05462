import type { DataSource } from 'typeorm';
import { dataSourceOptions, openDatabase } from '../../src/database/database.module.js';
import { dropDatabase, newDatabase } from './databases.js';

export interface OwnDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

/** A new, empty database on the PostgreSQL of the run. */
export async function makeDatabase(): Promise<OwnDatabase> {
  const url = await newDatabase();
  return { url, drop: () => dropDatabase(url) };
}

/** The database as the server opens it: migrated, with the given entities. */
export function openWith(url: string, entities: (new () => object)[]): Promise<DataSource> {
  return openDatabase({ ...dataSourceOptions({ url }, { warn: () => undefined }), entities });
}
