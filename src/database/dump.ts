import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type pg from 'pg';
import { fsyncDir } from '../shared/durable-file.js';
import { KeysteadError, messageOf } from '../shared/errors.js';
import { openSession } from './database-session.js';
import type { DatabaseTarget } from './database-target.js';
import { type DumpEnd, type DumpHeader, FORMAT, rowHead } from './dump-format.js';

const ROWS_AT_ONCE = 500;
const STALLED_MS = 60_000;
/** TypeORM's own; the header names the migrations instead. */
const NOT_DUMPED = 'migrations';

/**
 * Writes every row to a new file (0600), as they all were at one moment, while others read and write. The file is durable
 * when this returns and not there when it throws. FILE_EXISTS, FILE_INVALID, DATABASE_UNAVAILABLE.
 */
export async function dumpDatabase(target: DatabaseTarget, path: string): Promise<DumpEnd> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await open(path, flags, 0o600).catch((cause: NodeJS.ErrnoException) => {
    const code = cause.code === 'EEXIST' ? 'FILE_EXISTS' : 'FILE_INVALID';
    throw new KeysteadError(code, `cannot make ${path}: ${messageOf(cause)}; give the name of a new file`, { cause });
  });
  try {
    const dump = dumpText(target);
    for (let next = await dump.next(); ; next = await dump.next()) {
      if (next.done) {
        await file.sync();
        fsyncDir(dirname(resolve(path)));
        return next.value;
      }
      await file.appendFile(next.value);
    }
  } catch (cause) {
    await unlink(path);
    throw cause;
  } finally {
    await file.close();
  }
}

/** The same as text, in parts. PostgreSQL ends it when nobody takes the next part for a minute. */
export async function* dumpText(target: DatabaseTarget): AsyncGenerator<string, DumpEnd> {
  const client = await openSession(target);
  try {
    await client.query(`SET idle_in_transaction_session_timeout = ${STALLED_MS}`);
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const digest = createHash('sha256');
    let rows = 0;
    for await (const part of tables(client)) {
      digest.update(part.text);
      rows += part.rows;
      yield part.text;
    }
    const end: DumpEnd = { end: true, rows, sha256: digest.digest('hex') };
    yield `${JSON.stringify(end)}\n`;
    return end;
  } finally {
    await client.end();
  }
}

interface Part {
  readonly text: string;
  readonly rows: number;
}

async function* tables(client: pg.Client): AsyncGenerator<Part> {
  const names = await tablesInOrder(client);
  const migrations = await client.query<{ name: string }>(`SELECT "name" FROM "${NOT_DUMPED}" ORDER BY "timestamp"`);
  const done = migrations.rows.map(({ name }) => name);
  const header: DumpHeader = { format: FORMAT, at: new Date().toISOString(), migrations: done, tables: names };
  yield { text: `${JSON.stringify(header)}\n`, rows: 0 };
  for (const name of names) yield* rowsOf(client, name);
}

async function* rowsOf(client: pg.Client, table: string): AsyncGenerator<Part> {
  await client.query(`DECLARE "dump" NO SCROLL CURSOR FOR SELECT row_to_json("t")::text AS "row" FROM "${table}" "t"`);
  for (;;) {
    const { rows } = await client.query<{ row: string }>(`FETCH ${ROWS_AT_ONCE} FROM "dump"`);
    if (rows.length === 0) break;
    yield { text: rows.map(({ row }) => `${rowHead(table)}${row}}\n`).join(''), rows: rows.length };
  }
  await client.query('CLOSE "dump"');
}

/** Every table, those that others refer to first. */
async function tablesInOrder(client: pg.Client): Promise<string[]> {
  const all = await client.query<{ name: string }>(
    `SELECT "tablename" AS "name" FROM "pg_tables" WHERE "schemaname" = current_schema() AND "tablename" <> '${NOT_DUMPED}'
     ORDER BY "tablename"`,
  );
  const references = await client.query<{ child: string; parent: string }>(
    `SELECT "c"."conrelid"::regclass::text AS "child", "c"."confrelid"::regclass::text AS "parent"
     FROM "pg_constraint" "c" WHERE "c"."contype" = 'f' AND "c"."conrelid" <> "c"."confrelid"`,
  );
  const left = new Set(all.rows.map(({ name }) => name));
  const ordered: string[] = [];
  while (left.size > 0) {
    const free = [...left].filter(
      (name) => !references.rows.some(({ child, parent }) => child === name && left.has(parent)),
    );
    if (free.length === 0) throw new KeysteadError('INTERNAL', 'the tables refer to each other in a circle');
    for (const name of free) left.delete(name);
    ordered.push(...free);
  }
  return ordered;
}
