import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { until } from '../until.js';
import { AlibabaWorld } from './alibaba-world.js';

const PARAMETERS_MS = 10_000;
const DAY_MS = 300;

let w: AlibabaWorld;
beforeAll(async () => {
  w = await AlibabaWorld.start({
    KEYSTEAD_TIMER_IMPORT_PARAMETERS_MS: String(PARAMETERS_MS),
    KEYSTEAD_TIMER_DELETION_DAY_MS: String(DAY_MS),
    KEYSTEAD_TIMER_DUE_KEYS_MS: '300',
  });
}, 180_000);
afterAll(() => w?.end(), 30_000);

/** Bytes that the database holds of the key's versions. */
async function storedBytes(key: string): Promise<number[]> {
  const db = new pg.Client({ connectionString: w.world.databaseUrl });
  await db.connect();
  try {
    const { rows } = await db.query(`SELECT length("blob") AS bytes FROM "key_versions" WHERE "keyId" = $1`, [key]);
    return rows.map(({ bytes }) => bytes);
  } finally {
    await db.end();
  }
}

it('import parameters are good until they expire, and no longer', async () => {
  const key = await w.createKey();
  const before = Date.now();
  const { TokenExpireTime } = await w.parametersFor(key);
  const given = await w.importOf(key, randomBytes(32));
  expect(Math.abs(Date.parse(TokenExpireTime) - before - PARAMETERS_MS)).toBeLessThan(5_000);
  await w.ask('ImportKeyMaterial', given);
  await until(async () => (await w.send('ImportKeyMaterial', given)).status !== 200, PARAMETERS_MS + 5_000);
  expect(Date.now() - before).toBeGreaterThanOrEqual(PARAMETERS_MS);
  expect(await w.refused('ImportKeyMaterial', given)).toEqual({
    status: 400,
    code: 'ExpiredImportToken',
    message: 'import token is expired.',
  });
});

it('a key whose deletion was scheduled is gone after its days, its material from the database too', async () => {
  const key = await w.keyWith(randomBytes(32));
  expect(await storedBytes(key)).toEqual([expect.any(Number)]);
  const before = Date.now();
  await w.ask('ScheduleKeyDeletion', { KeyId: key, PendingWindowInDays: '7' });
  expect(await w.stateOf(key)).toBe('PendingDeletion');
  await until(async () => (await w.send('DescribeKey', { KeyId: key })).status !== 200, 7 * DAY_MS + 10_000);
  expect(Date.now() - before).toBeGreaterThanOrEqual(7 * DAY_MS);
  expect(await w.refused('DescribeKey', { KeyId: key })).toMatchObject({ status: 404, code: 'Forbidden.KeyNotFound' });
  await until(async () => (await storedBytes(key)).length === 0, 10_000);
});

it('material that has expired leaves the database, and so does material that is deleted', async () => {
  const key = await w.createKey();
  const given = await w.importOf(key, randomBytes(32));
  const soon = Math.floor(Date.now() / 1000) + 4;
  await w.ask('ImportKeyMaterial', { ...given, KeyMaterialExpireUnix: String(soon) });
  expect((await storedBytes(key))[0]).toBeGreaterThan(0);
  await until(async () => (await storedBytes(key))[0] === 0, 15_000);
  expect(await w.stateOf(key)).toBe('PendingImport');

  const other = await w.keyWith(randomBytes(32));
  await w.ask('DeleteKeyMaterial', { KeyId: other });
  expect(await storedBytes(other)).toEqual([0]);
});
