import type pg from 'pg';
import { needs } from '../shared/errors.js';
import { dataSourceOptions, openDatabase } from './database.module.js';
import { inTransaction, withSession } from './database-session.js';
import type { DatabaseTarget } from './database-target.js';
import { type Dump, linesIn, readDump } from './dump-file.js';
import { type DumpEnd, rowHead } from './dump-format.js';
import { MIGRATIONS } from './migrations.js';

const ROWS_AT_ONCE = 500;

/**
 * Fills an empty database from a backup: the tables as they were then, and every row, or nothing. FILE_INVALID for a
 * file that is not a whole backup; CONFIG_INVALID when the database is not empty or the backup is of a newer Keystead.
 */
export async function loadDump(target: DatabaseTarget, path: string): Promise<DumpEnd> {
  const dump = await readDump(path);
  const known = MIGRATIONS.filter((migration) =>
    dump.header.migrations.includes(new migration().name ?? migration.name),
  );
  const newer = known.length < dump.header.migrations.length;
  needs(!newer, 'CONFIG_INVALID', `${path} was made by a newer Keystead; restore it with that one`);
  await withSession(target, assertEmpty);
  const options = dataSourceOptions(target, { warn: () => undefined });
  await (await openDatabase({ ...options, migrations: known })).destroy();
  await withSession(target, (client) => inTransaction(client, '', () => loadRows(client, dump)));
  await (await openDatabase(options)).destroy(); // and as this version has them
  return dump.end;
}

async function assertEmpty(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    'SELECT "tablename" AS "name" FROM "pg_tables" WHERE "schemaname" = current_schema() LIMIT 1',
  );
  needs(
    rows.length === 0,
    'CONFIG_INVALID',
    'the database is not empty; restore into a new one and keep the old one aside',
  );
}

async function loadRows(client: pg.Client, { path, header }: Dump): Promise<void> {
  let table = '';
  let waiting: string[] = [];
  const flush = async () => {
    if (waiting.length === 0) return;
    const text = `INSERT INTO "${table}" SELECT * FROM json_populate_recordset(NULL::"${table}", $1::json)`;
    await client.query(text, [`[${waiting.join(',')}]`]);
    waiting = [];
  };
  for await (const line of linesIn(path)) {
    const of = header.tables.find((name) => line.startsWith(rowHead(name)));
    if (of === undefined) continue; // the header and the end
    if (of !== table || waiting.length === ROWS_AT_ONCE) await flush();
    table = of;
    waiting.push(line.slice(rowHead(of).length, -1));
  }
  await flush();
}
