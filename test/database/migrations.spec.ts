import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { getMetadataArgsStorage, type MigrationInterface, type QueryRunner } from 'typeorm';
import { dataSourceOptions, openDatabase } from '../../src/database/database.module.js';
import { MIGRATIONS } from '../../src/database/migrations.js';
import { makeDatabase, type OwnDatabase, openWith } from './own-database.js';

let own: OwnDatabase;
beforeEach(async () => {
  own = await makeDatabase();
});
afterEach(() => own.drop());

/** Every entity of the sources, by the name of its file. */
async function everyEntity(): Promise<(new () => object)[]> {
  const src = join(import.meta.dirname, '../../src');
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.entity.ts'));
  for (const file of files) await import(join(src, file));
  return getMetadataArgsStorage().tables.map(({ target }) => target as new () => object);
}

it('the migrations make exactly what the entities describe', async () => {
  const db = await openWith(own.url, await everyEntity());
  try {
    const { upQueries } = await db.driver.createSchemaBuilder().log();
    expect(upQueries.map(({ query }) => query)).toEqual([]);
  } finally {
    await db.destroy();
  }
});

it('of several servers that start at once on an empty database one migrates and all come up', async () => {
  const all = await Promise.all(Array.from({ length: 4 }, () => openWith(own.url, [])));
  try {
    for (const db of all) {
      const [row] = await db.query<{ count: string }[]>('SELECT count(*) FROM "migrations"');
      expect(Number(row?.count)).toBe(MIGRATIONS.length);
    }
  } finally {
    await Promise.all(all.map((db) => db.destroy()));
  }
});

it('every migration can be taken back, the newest first', async () => {
  const db = await openWith(own.url, []);
  try {
    for (const _ of MIGRATIONS) await db.undoLastMigration();
    const tables = await db.query<unknown[]>(`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`);
    expect(tables).toEqual([{ tablename: 'migrations' }]);
  } finally {
    await db.destroy();
  }
});

it('a server whose migrations are killed, at whatever statement, goes on with them at its next start', async () => {
  let [killed, done] = [0, 0];
  for (let statement = 1; done < MIGRATIONS.length; statement += 1) {
    const options = dataSourceOptions({ url: own.url }, { warn: () => undefined });
    const db = await openDatabase({ ...options, migrations: killedAt(statement) }).catch(() => null);
    if (db === null) killed += 1;
    await db?.destroy();
    const now = await migrationsDone();
    if (now > done) statement = 0;
    done = now;
  }
  expect(killed).toBeGreaterThan(50);
  const db = await openWith(own.url, await everyEntity());
  try {
    const { upQueries } = await db.driver.createSchemaBuilder().log();
    expect(upQueries.map(({ query }) => query)).toEqual([]);
  } finally {
    await db.destroy();
  }
}, 120_000);

/** The migrations, on a connection that PostgreSQL ends at the given statement of what is left to do. */
function killedAt(statement: number): (new () => MigrationInterface)[] {
  let count = 0;
  return MIGRATIONS.map((Migration) => {
    const { name } = Migration;
    class Killed extends Migration {
      override up(runner: QueryRunner): Promise<void> {
        const query = async (text: string, parameters?: unknown[]) => {
          count += 1;
          if (count === statement) await runner.query('SELECT pg_terminate_backend(pg_backend_pid())');
          return runner.query(text, parameters);
        };
        return super.up({ query } as QueryRunner);
      }
    }
    return Object.defineProperty(Killed, 'name', { value: name });
  });
}

async function migrationsDone(): Promise<number> {
  const client = new pg.Client({ connectionString: own.url });
  await client.connect();
  try {
    const { rows } = await client.query(`SELECT to_regclass('migrations') IS NOT NULL AS "there"`);
    return rows[0].there ? Number((await client.query('SELECT count(*) FROM "migrations"')).rows[0].count) : 0;
  } finally {
    await client.end();
  }
}

it('a server does not start on the database of a newer one', async () => {
  const db = await openWith(own.url, []);
  await db.query(`INSERT INTO "migrations" ("timestamp", "name") VALUES (9999999999999, 'Later9999999999999')`);
  await db.destroy();
  await expect(openWith(own.url, [])).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('Later9999999999999'),
  });
});

it('a database that cannot be reached is DATABASE_UNAVAILABLE', async () => {
  await expect(openWith('postgres://nobody:x@127.0.0.1:1/none', [])).rejects.toMatchObject({
    code: 'DATABASE_UNAVAILABLE',
  });
});
