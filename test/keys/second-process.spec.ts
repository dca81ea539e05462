import 'reflect-metadata';
import type { DataSource } from 'typeorm';
import { ApiKey } from '../../src/access/api-key.entity.js';
import { KEYSTEAD } from '../../src/access/caller.js';
import { AuditLine } from '../../src/audit/audit-line.entity.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import type { UnitPicker } from '../../src/crypto-units/unit-picker.js';
import { ReadLane } from '../../src/database/read-lane.js';
import { Key, KeyAlias, KeyRegistration, KeyVersion } from '../../src/keys/key.entity.js';
import { KeyIntegrity } from '../../src/keys/key-integrity.js';
import { KeyStore } from '../../src/keys/key-store.js';
import { KeyUnits } from '../../src/keys/key-units.js';
import { WrapCounter } from '../../src/keys/wrap-counter.js';
import { WrapKey, WrapKeyHandler } from '../../src/keys/wrap-key.command.js';
import type { CryptoClient } from '../../src/unit-agent/client.js';
import { openWith } from '../database/own-database.js';
import { until } from '../until.js';
import { KeyWorld } from './key-world.js';

/** This process is a second API process: the same database, the same agents, its own memory. */
let at: KeyWorld;
let db: DataSource;
let clients: CryptoClient[];
let wrapping: WrapKeyHandler;
beforeAll(async () => {
  at = await KeyWorld.start();
  db = await openWith(at.world.databaseUrl, [ApiKey, AuditLine, Key, KeyAlias, KeyRegistration, KeyVersion]);
  clients = await Promise.all((await at.world.units()).map(({ id }) => at.cryptoClient(id)));
  const [first] = clients as [CryptoClient];
  const use = async <T>(_instance: string, work: (unit: CryptoClient) => Promise<T>) => ({
    unitId: 'first',
    result: await work(first),
  });
  const audit = new AuditLog(db);
  const units = new KeyUnits({ use } as unknown as UnitPicker, new KeyIntegrity(), audit);
  wrapping = new WrapKeyHandler(new KeyStore(db, new ReadLane(db)), audit, units, new WrapCounter(db, QUIET));
}, 120_000);
afterAll(async () => {
  for (const client of clients ?? []) client.connection.close();
  await db?.destroy();
  await at.end();
});

const QUIET = { warn: () => undefined };
const wrap = (key: string) => wrapping.execute(new WrapKey(KEYSTEAD, { instanceId: at.instance, key }, {}));

it.each([
  ['disabled', (id: string) => at.send('POST', `keys/${id}/actions/disable`), 'KEY_STATE'],
  ['deleted', (id: string) => at.send('DELETE', `keys/${id}`), 'KEY_STATE'],
  ['robbed of its alias', (id: string) => at.send('DELETE', `keys/${id}/aliases/both`), 'KEY_NOT_FOUND'],
])('a key that one process has %s is so in the other from the next request on', async (_what, act, code) => {
  const id = await at.key({ aliases: ['both'] });
  for (let n = 0; n < 5; n += 1) await wrap('both');
  expect((await act(id)).status).toBe(204);
  await expect(wrap('both')).rejects.toMatchObject({ code });
  await at.send('DELETE', `keys/${id}/aliases/both`);
  await at.db.query(`DELETE FROM "key_aliases" WHERE "alias" = 'both'`);
});

it('what one process wraps, the other unwraps, and both count on one counter', async () => {
  const id = await at.key();
  const { ciphertext, plaintext } = await wrap(id);
  const opened = await at.send('POST', `keys/${id}/actions/unwrap`, { ciphertext });
  expect(opened.body.plaintext).toBe(plaintext?.toString('base64'));
  await at.send('POST', `keys/${id}/actions/wrap`);
  const { rows } = await at.db.query(`SELECT "wraps"::int FROM "key_versions" WHERE "id" = $1`, [id]);
  expect(rows[0].wraps).toBe(1 + 2 * 1024);
});

it('the counter stops at 2^32 however many ask at once', async () => {
  const id = await at.key();
  await at.db.query(`UPDATE "key_versions" SET "wraps" = 4294967296 - 1024 WHERE "id" = $1`, [id]);
  const counter = new WrapCounter(db, QUIET);
  const asked = await Promise.allSettled(Array.from({ length: 1100 }, () => counter.spend(id)));
  expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1024);
});

it('the counter says at 2^31 that it is time to rotate, and a killed server counts on from what it had reserved', async () => {
  const { world } = at;
  const id = await at.key();
  const counted = async () =>
    Number((await at.db.query(`SELECT "wraps" FROM "key_versions" WHERE "id" = $1`, [id])).rows[0].wraps);
  await at.db.query(`UPDATE "key_versions" SET "wraps" = 2147483648 - 1024 WHERE "id" = $1`, [id]);
  const half = 2 ** 31;
  for (const expected of [half, half + 1024]) {
    expect((await at.send('POST', `keys/${id}/actions/wrap`)).status).toBe(200);
    expect((await at.send('POST', `keys/${id}/actions/wrap`)).status).toBe(200);
    expect(await counted()).toBe(expected);
    await world.killServer();
    await world.launch();
    await until(async () => (await world.api('GET', '/readyz')).status === 200, 20_000);
  }
  expect(world.log.match(/"key-version-half-spent"/g)).toHaveLength(1);
}, 120_000);
