import type { DataSource } from 'typeorm';
import { FreshRows } from '../../src/database/fresh-rows.js';
import { ReadLane } from '../../src/database/read-lane.js';
import { makeDatabase, type OwnDatabase, openWith } from './own-database.js';

interface Note {
  readonly id: string;
  readonly text: string;
}

const NOTES = {
  name: 'notes',
  id: '"id"',
  mark: '"xmin", "ctid"',
  columns: '*',
  from: 'FROM "notes" WHERE "id" = ANY($1)',
};

let own: OwnDatabase;
let db: DataSource;
let made: Note[];
let statements: string[];
let notes: FreshRows<Note>;
beforeEach(async () => {
  own = await makeDatabase();
  db = await openWith(own.url, []);
  await db.query('CREATE TABLE "notes" ("id" text PRIMARY KEY, "text" text)');
  await db.query(`INSERT INTO "notes" VALUES ('a', 'first'), ('b', 'second')`);
  [made, statements] = [[], []];
  const lane = new ReadLane(db);
  const watched = {
    rows: <Row extends object>(name: string, text: string, ids: readonly (string | Buffer)[]) => {
      statements.push(name);
      return lane.rows<Row>(name, text, ids);
    },
  };
  notes = new FreshRows(watched, NOTES, (columns) => {
    made.push(columns as Note);
    return columns as Note;
  });
});
afterEach(async () => {
  await db.destroy();
  await own.drop();
});

const textOf = async (id: string) => (await notes.find(id))?.text;

it('reads a row once, and asks of it from then on only whether it is the same', async () => {
  const first = await notes.find('a');
  expect(first).toEqual({ id: 'a', text: 'first' });
  expect(await notes.find('a')).toBe(first);
  expect(statements).toEqual(['notes-rows', 'notes-marks']);
});

it('gives the row as it is now: changed, changed back, removed, and put in again', async () => {
  expect(await textOf('a')).toBe('first');
  for (const text of ['other', 'first', 'other']) {
    await db.query(`UPDATE "notes" SET "text" = $1 WHERE "id" = 'a'`, [text]);
    expect(await textOf('a')).toBe(text);
  }
  await db.query(`DELETE FROM "notes" WHERE "id" = 'a'`);
  expect(await textOf('a')).toBeUndefined();
  await db.query(`INSERT INTO "notes" VALUES ('a', 'again')`);
  expect(await textOf('a')).toBe('again');
  expect(made).toHaveLength(5);
});

it('tells apart what one transaction wrote at two places', async () => {
  await db.query(`TRUNCATE "notes"`);
  await db.query(`INSERT INTO "notes" VALUES ('a', 'one')`);
  expect(await textOf('a')).toBe('one');
  await db.transaction(async (tx) => {
    await tx.query(`DELETE FROM "notes"`);
    await tx.query(`INSERT INTO "notes" VALUES ('b', 'two')`);
    await tx.query(`INSERT INTO "notes" VALUES ('a', 'three')`);
  });
  expect([await textOf('a'), await textOf('b')]).toEqual(['three', 'two']);
});

it('asks for rows that it knows and rows that it does not with a statement each, however many are asked for at once', async () => {
  await notes.find('a');
  statements.length = 0;
  const all = await Promise.all(['a', 'b', 'none', 'a'].map(textOf));
  expect(all).toEqual(['first', 'second', undefined, 'first']);
  expect(statements).toEqual(['notes-marks', 'notes-rows']);
});
