import type { DataSource } from 'typeorm';
import { AuditLine } from '../../src/audit/audit-line.entity.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import { Secret } from '../../src/shared/secret.js';
import { makeDatabase, type OwnDatabase, openWith } from './own-database.js';

let own: OwnDatabase;
let db: DataSource;
let audit: AuditLog;
beforeEach(async () => {
  own = await makeDatabase();
  db = await openWith(own.url, [AuditLine]);
  audit = new AuditLog(db);
});
afterEach(async () => {
  await db.destroy();
  await own.drop();
});

const line = (n: number) => ({ act: 'test.act', outcome: 'success', by: { name: 'spec' }, detail: { n } }) as const;
const write = (n: number) => db.transaction((tx) => audit.append(tx, line(n)));

/** As somebody would who owns the database: without the trigger. */
async function tamper(sql: string): Promise<void> {
  await db.query('ALTER TABLE "audit_lines" DISABLE TRIGGER ALL');
  await db.query(sql);
  await db.query('ALTER TABLE "audit_lines" ENABLE TRIGGER ALL');
}

it('an act that is rolled back leaves no line', async () => {
  const act = db.transaction(async (tx) => {
    await audit.append(tx, line(1));
    throw new Error('the act failed');
  });
  await expect(act).rejects.toThrow('the act failed');
  expect(await audit.list()).toEqual([]);
});

it('lines are listed newest first, page by page, with what was said', async () => {
  for (let n = 1; n <= 5; n += 1) await write(n);
  const newest = await audit.list({ limit: 2 });
  expect(newest.map(({ seq, detail }) => [seq, detail])).toEqual([
    [5, { n: 5 }],
    [4, { n: 4 }],
  ]);
  expect((await audit.list({ limit: 2, before: 4 })).map(({ seq }) => seq)).toEqual([3, 2]);
  expect(newest[0]).toMatchObject({ act: 'test.act', outcome: 'success', by: 'spec', unitId: null, target: null });
});

it('concurrent appends, of several servers too, make one chain without gaps', async () => {
  const other = new AuditLog(db);
  await Promise.all(
    Array.from({ length: 60 }, (_, n) => {
      if (n % 3 === 0) return write(n);
      return (n % 3 === 1 ? audit : other).record(line(n));
    }),
  );
  expect(await audit.verifyChain()).toMatchObject({ lines: 60, badSeq: null });
});

it.each(['UPDATE "audit_lines" SET "by" = \'nobody\'', 'DELETE FROM "audit_lines"', 'TRUNCATE "audit_lines"'])(
  'the database refuses: %s',
  async (sql) => {
    await write(1);
    await expect(db.query(sql)).rejects.toThrow('append-only');
    expect(await audit.verifyChain()).toMatchObject({ lines: 1, badSeq: null });
  },
);

it.each([
  ['a changed field', `UPDATE "audit_lines" SET "by" = 'nobody' WHERE "seq" = 3`, 3],
  ['a changed detail', `UPDATE "audit_lines" SET "detail" = '{"n":7}' WHERE "seq" = 2`, 2],
  ['an absent field that became an empty one', `UPDATE "audit_lines" SET "target" = '' WHERE "seq" = 4`, 4],
  ['a changed time', `UPDATE "audit_lines" SET "at" = "at" + interval '1 ms' WHERE "seq" = 1`, 1],
  ['a removed line', 'DELETE FROM "audit_lines" WHERE "seq" = 3', 3],
  ['removed first lines', 'DELETE FROM "audit_lines" WHERE "seq" < 3', 1],
  ['a hash of its own', `UPDATE "audit_lines" SET "hash" = sha256('x') WHERE "seq" = 5`, 5],
  [
    'a line before the first',
    `INSERT INTO "audit_lines" SELECT 0, "at", "act", "outcome", "by", "instanceId", "unitId", "target", "detail", "hash"
     FROM "audit_lines" WHERE "seq" = 1`,
    0,
  ],
])('verifying finds %s, though the trigger was off', async (_what, sql, bad) => {
  for (let n = 1; n <= 5; n += 1) await write(n);
  await tamper(sql);
  expect((await audit.verifyChain()).badSeq).toBe(bad);
});

it('an end that was cut off changes the head', async () => {
  for (let n = 1; n <= 3; n += 1) await write(n);
  const { head } = await audit.verifyChain();
  await tamper('DELETE FROM "audit_lines" WHERE "seq" = 3');
  const report = await audit.verifyChain();
  expect(report.badSeq).toBeNull();
  expect(report.head).not.toBe(head);
});

it('a secret in a detail is written as [secret], and bytes are refused', async () => {
  await audit.record({ ...line(1), detail: { pin: new Secret(Buffer.from('1234')) } });
  expect((await audit.list())[0]?.detail).toEqual({ pin: '[secret]' });
  await expect(audit.record({ ...line(2), detail: { key: Buffer.from('k') } })).rejects.toMatchObject({
    code: 'INTERNAL',
  });
});

it('one bad line does not take others with it that wait for the same write', async () => {
  const outcomes = await Promise.allSettled([
    audit.record(line(1)),
    audit.record({ ...line(2), target: 'PostgreSQL takes no \0 in a text' }),
    audit.record({ ...line(3), detail: { key: Buffer.from('bytes are refused') } }),
    audit.record(line(4)),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
  expect(await audit.verifyChain()).toMatchObject({ lines: 2, badSeq: null });
});

it('an act fails with AUDIT_UNAVAILABLE when its line cannot be written', async () => {
  await db.query('ALTER TABLE "audit_lines" RENAME TO "gone"');
  await expect(write(1)).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
  await expect(audit.record(line(1))).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
});
