import { randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { FreshRows } from '../../src/database/fresh-rows.js';
import { ReadLane, type RowSource, rowsOf } from '../../src/database/read-lane.js';
import { makeDatabase, type OwnDatabase, openWith } from './own-database.js';

interface Note {
  readonly id: string;
  readonly text: string;
}

const NOTES: RowSource = {
  name: 'notes',
  id: '"id"',
  mark: '"xmin", "ctid"',
  columns: '*',
  from: (ids) => `FROM "notes" WHERE "id" = ANY(${ids})`,
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
    mark: (source: RowSource, id: string) => {
      statements.push('mark');
      return lane.mark(source, id);
    },
    rows: <Row extends object>(source: RowSource, ids: readonly string[]) => {
      statements.push('rows');
      return lane.rows<Row>(source, ids);
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
  expect(statements).toEqual(['rows', 'mark']);
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

it('on suspicion gives a row that it knows, as it is now, and of others asks nothing', async () => {
  expect(notes.findKnown('a')).toBeUndefined();
  expect(statements).toEqual([]);
  const first = await notes.find('a');
  expect(await notes.findKnown('a')).toBe(first);
  await db.query(`UPDATE "notes" SET "text" = 'other' WHERE "id" = 'a'`);
  expect((await notes.findKnown('a'))?.text).toBe('other');
  await db.query(`DELETE FROM "notes" WHERE "id" = 'a'`);
  expect(await notes.findKnown('a')).toBeNull();
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

it('asks with one statement for all rows that it does not know', async () => {
  await notes.find('a');
  statements.length = 0;
  const all = await Promise.all(['a', 'b', 'none', 'a'].map(textOf));
  expect(all).toEqual(['first', 'second', undefined, 'first']);
  expect(statements).toEqual(['mark', 'mark', 'rows']);
});

it('asks for the marks of all tables that are asked for in one turn with one statement', async () => {
  await db.query('CREATE TABLE "others" ("id" uuid PRIMARY KEY)');
  const id = randomUUID();
  await db.query('INSERT INTO "others" VALUES ($1)', [id]);
  const lane = new ReadLane(db);
  const others = rowsOf('others', 'id');
  const marks = await Promise.all([lane.mark(NOTES, 'a'), lane.mark(others, id), lane.mark(others, randomUUID())]);
  expect(marks.map((mark) => mark?.rowMark ?? null)).toEqual([
    expect.stringContaining('(0,1)'),
    expect.stringContaining('(0,1)'),
    null,
  ]);
  const of = (name: string) => ({ ...rowsOf('pg_prepared_statements', 'name'), name, mark: '"name"' });
  const prepared = await lane.rows<{ name: string }>(of('prepared'), ['marks-0', 'marks-1', 'marks-0-1']);
  expect(prepared.map(({ name }) => name)).toEqual(['marks-0-1']);
});
