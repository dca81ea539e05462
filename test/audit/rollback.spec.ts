import { blocksOf } from '../doc-blocks.js';
import { becomes, createKey, instanceHeader, opens, serves, succeed, wrap } from '../units.js';
import { until } from '../until.js';
import { World } from '../world.js';

/** The database set back under units that saw a newer one: nothing is served until the administrators accept it. */
let world: World;
let key: string;
let sealed: string;
let ids: string[];
let yesterday: string;
beforeAll(async () => {
  world = await World.initialised(2);
  ids = (await world.units()).map(({ id }) => id);
  key = await createKey(world, 'root');
  sealed = await wrap(world, key);
}, 240_000);
afterAll(() => world.end());

const checkpoint = async () => (await world.api('POST', '/api/v1/audit/checkpoints', {})).body;
const accept = () => world.shell(blocksOf('docs/backup.md', 'accept').join(''));
const readyz = async () => (await world.api('GET', '/readyz')).body.state;

it('every serving unit signs the same place of the log, and a second round follows on the first', async () => {
  const first = await checkpoint();
  expect([first.failed, first.checkpoints.length]).toEqual([[], 2]);
  expect(new Set(first.checkpoints.map(({ root }: { root: string }) => root)).size).toBe(1);
  for (let turn = 0; turn < 3; turn += 1) await wrap(world, key);
  const second = await checkpoint();
  expect(second.failed).toEqual([]);
  expect(second.checkpoints[0].size).toBeGreaterThan(first.checkpoints[0].size + 2);
}, 120_000);

it('a round goes over many lines, and every unit signs their end', async () => {
  const before = (await checkpoint()).checkpoints[0].size;
  const path = `/api/v2/keys/${key}/actions/wrap`;
  const some = () => world.api('POST', path, { plaintext: 'AAAA' }, instanceHeader(world));
  for (let turn = 0; turn < 12; turn += 1) await Promise.all(Array.from({ length: 50 }, some));
  const round = await checkpoint();
  expect([round.failed, round.checkpoints.length]).toEqual([[], 2]);
  for (const { size } of round.checkpoints) expect(size).toBeGreaterThanOrEqual(before + 600);
  await wrap(world, key);
  expect((await checkpoint()).failed).toEqual([]); // each unit goes on from what it signed
}, 120_000);

it('a database of yesterday stops all serving, with the reason, and nothing but the administrators ends it', async () => {
  await world.stopServer();
  yesterday = await world.backUp();
  await world.launch();
  await until(async () => (await world.api('GET', '/readyz')).status === 200, 20_000);
  for (let turn = 0; turn < 3; turn += 1) await wrap(world, key);
  expect((await checkpoint()).failed).toEqual([]);
  await world.stopServer();
  await world.restore(yesterday);
  await world.launch();
  for (const id of ids) await becomes(world, id, ['Quarantined', 'True', 'DatabaseRolledBack'], 20_000);
  expect(await readyz()).toBe('database-rolled-back');
  const health = await world.api('GET', '/health');
  expect([health.status, health.body.checks['audit:checkpoints'][0].observedValue]).toEqual([
    503,
    'DatabaseRolledBack',
  ]);
  expect(await opens(world, key, sealed)).toBe(false);
  const replaced = await world.kp('crypto-unit', 'replace', ids[0] ?? '');
  expect([replaced.code, replaced.stderr]).toEqual([1, expect.stringContaining('is not lost')]);
  await world.stopServer();
  await world.launch();
  for (const id of ids) await becomes(world, id, ['Quarantined', 'True', 'DatabaseRolledBack'], 20_000);
}, 240_000);

it('kp restore accept, signed, brings the units back, and the log goes on from where it was restored', async () => {
  await succeed(accept());
  for (const id of ids) await serves(world, id, 20_000);
  expect(await opens(world, key, sealed)).toBe(true);
  expect((await checkpoint()).failed).toEqual([]);
  const { stdout } = await succeed(world.kp('audit', 'list', '--act', 'crypto-unit.restore.accept', '-o', 'json'));
  expect(JSON.parse(stdout)).toHaveLength(2);
}, 120_000);

it('another history is found also when it is longer than what the units signed', async () => {
  const size = async () => (await world.api('GET', '/api/v1/audit/head')).body.size as number;
  const signed = (await checkpoint()).checkpoints[0].size as number;
  await world.stopServer();
  await world.restore(yesterday);
  await world.launch();
  for (let turn = 0; (await size()) <= signed; turn += 1) {
    const made = await world.api('POST', '/api/v1/api-keys', { name: `other-${turn}`, roles: ['Reader'] });
    expect(made.status).toBe(201);
  }
  const conditions = async () => (await world.units()).flatMap((unit) => unit.conditions);
  const parted = async () => (await conditions()).filter(({ message }) => message.includes('has another history'));
  await until(async () => (await parted()).length === ids.length, 20_000);
  expect(await readyz()).toBe('database-rolled-back');
  await succeed(accept());
  for (const id of ids) await serves(world, id, 20_000);
}, 240_000);

it('a line that was changed in the database keeps units from signing, and health says so', async () => {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: world.databaseUrl });
  await client.connect();
  await client.query('ALTER TABLE "audit_lines" DISABLE TRIGGER ALL');
  await client.query(`UPDATE "audit_lines" SET "by" = 'nobody' WHERE "seq" = (SELECT max("seq") FROM "audit_lines")`);
  await client.end();
  const { checkpoints, failed } = await checkpoint();
  expect([checkpoints, failed.length]).toEqual([[], 2]);
  expect(failed[0].message).toContain('of the audit log was changed or removed');
  expect((await world.api('GET', '/health')).body.checks['audit:checkpoints'][0].observedValue).toBe('AuditTampered');
}, 60_000);
