import { createHash } from 'node:crypto';
import type pg from 'pg';
import { KeysteadError, needs } from '../shared/errors.js';
import { linesOf } from '../shared/lines-of.js';
import { dataSourceOptions, openDatabase } from './database.module.js';
import { inTransaction, withSession } from './database-session.js';
import type { DatabaseTarget } from './database-target.js';
import { DumpEnd, DumpHeader, rowHead } from './dump-format.js';
import { MIGRATIONS } from './migrations.js';

const ROWS_AT_ONCE = 500;

/** A backup whose digest is right: it is as it was written. */
interface Dump {
  readonly path: string;
  readonly header: DumpHeader;
  readonly end: DumpEnd;
}

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

/** Reads the whole file once, before anything is changed. */
async function readDump(path: string): Promise<Dump> {
  const digest = createHash('sha256');
  let first: string | undefined;
  let last = '';
  let lines = 0;
  for await (const line of linesIn(path)) {
    first ??= line;
    if (lines > 0) digest.update(`${last}\n`);
    last = line;
    lines += 1;
  }
  const header = shaped(DumpHeader, first ?? '', path);
  const end = shaped(DumpEnd, last, path);
  const whole = end.sha256 === digest.digest('hex') && end.rows === lines - 2;
  needs(whole, 'FILE_INVALID', `${path} is not as it was written: its digest is another one; take another backup`);
  return { path, header, end };
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

function shaped<T>(shape: { parse(value: unknown): T }, line: string, path: string): T {
  try {
    return shape.parse(JSON.parse(line));
  } catch (cause) {
    throw new KeysteadError('FILE_INVALID', `${path} is not a whole backup of Keystead`, { cause });
  }
}

async function* linesIn(path: string): AsyncGenerator<string> {
  const cutOff = () => new KeysteadError('FILE_INVALID', `${path} is cut off in the middle of a line`);
  for await (const part of linesOf(path, cutOff)) yield* part;
}
