import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { getMetadataArgsStorage } from 'typeorm';
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

it('a database that cannot be reached is DATABASE_UNAVAILABLE', async () => {
  await expect(openWith('postgres://nobody:x@127.0.0.1:1/none', [])).rejects.toMatchObject({
    code: 'DATABASE_UNAVAILABLE',
  });
});
