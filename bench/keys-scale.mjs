/**
 * Whether keys are found as fast among 1,000,000 as among 500: get, alias, lists, searches and counts, on a PostgreSQL of
 * its own. Prints the median of each in milliseconds and its ratio to the smallest instance. Run `npm run build` first.
 *   node bench/keys-scale.mjs [sizes…]
 */
import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { dataSourceOptions, openDatabase } from '../dist/database/database.module.js';
import { ReadLane } from '../dist/database/read-lane.js';
import { Key, KeyAlias, KeyRegistration, KeyVersion } from '../dist/keys/key.entity.js';
import { KeyList } from '../dist/keys/key-list.js';
import { KeyStore } from '../dist/keys/key-store.js';
import { parseListQuery } from '../dist/keys/list-filter.js';
import startPostgres from '../test/world.global.js';

const SIZES = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [500, 100_000, 1_000_000];
const ROUNDS = 60;
const PER_RING = 500;

await startPostgres();
const target = { url: process.env.TEST_DATABASE_URL };
const options = { ...dataSourceOptions(target, console), entities: [Key, KeyAlias, KeyRegistration, KeyVersion] };
options.extra = { statement_timeout: 0 };
const db = await openDatabase(options);
try {
  const results = [];
  for (const size of SIZES) results.push(await measure(size));
  print(results);
} finally {
  await db.destroy();
}
process.exit(0); // the database goes with this process

async function measure(size) {
  const instanceId = randomUUID();
  await fill(instanceId, size);
  await db.query('VACUUM ANALYZE');
  const store = new KeyStore(db, new ReadLane(db));
  const list = new KeyList(db, { instanceId, sight: 'all' });
  const ring = new KeyList(db, { instanceId, keyRingId: 'ring-0', sight: 'all' });
  const page = (raw) => parseListQuery(raw);
  const ids = (await db.query(`SELECT "id" FROM "keys" WHERE "instanceId" = $1 LIMIT 100`, [instanceId])).map(
    ({ id }) => id,
  );
  let n = 0;
  const acts = {
    'get by id': async () => store.latest(await store.find({ instanceId, key: ids[n++ % ids.length] })),
    'get by alias': () => store.find({ instanceId, key: `alias-${(n++ * 7919) % size}` }),
    list: () => list.page(page({})),
    'list, newest first': () => list.page(page({ sort: '-creationDate' })),
    'list, by expiration': () => list.page(page({ sort: 'expirationDate', limit: '50' })),
    'list, suspended only': () => list.page(page({ state: '2' })),
    'list, made after a date': () => list.page(page({ filter: 'creationDate=gt:"2020-01-01T00:10:00Z"', limit: '50' })),
    'list a ring': () => ring.page(page({})),
    'search a ring': () => ring.page(page({ search: 'key 4' })),
    'search an alias': () => list.page(page({ search: `alias:exact:alias-${(n++ * 79_190) % size}` })),
    count: () => list.count(page({})),
    'count a ring': () => ring.count(page({})),
  };
  const medians = {};
  for (const [name, act] of Object.entries(acts)) medians[name] = await median(act);
  return { size, medians };
}

/** Keys as rows only: 1 in 100 suspended, 1 in 50 destroyed, 1 in 10 with an expiration. */
async function fill(instanceId, size) {
  await db.query(
    `INSERT INTO "keys" ("id", "instanceId", "keyRingId", "name", "tags", "aliases", "extractable", "imported", "byImportToken",
       "external", "algorithm", "usage", "labels", "bits", "state", "versionId", "createdBy", "createdAt", "updatedAt", "changedAt",
       "expiresAt", "deletedAt", "deletedBy")
     SELECT gen_random_uuid(), $1, 'ring-' || (n % greatest(1, $2::int / ${PER_RING})), 'key ' || n, '{}', ARRAY['alias-' || n],
       false, false, false, false, 'AES-256', 'ENCRYPT_DECRYPT', '{}', 256,
       CASE WHEN n % 50 = 7 THEN 5 WHEN n % 100 = 3 THEN 2 ELSE 1 END, gen_random_uuid(), 'bench',
       timestamptz '2020-01-01' + n * interval '1 s', timestamptz '2020-01-01', timestamptz '2020-01-01',
       CASE WHEN n % 10 = 0 THEN timestamptz '2100-01-01' + n * interval '1 s' END,
       CASE WHEN n % 50 = 7 THEN timestamptz '2021-01-01' END, CASE WHEN n % 50 = 7 THEN 'bench' END
     FROM generate_series(0, $2::int - 1) n`,
    [instanceId, size],
  );
  await db.query(
    `INSERT INTO "key_versions" ("id", "keyId", "instanceId", "algorithm", "blob", "mac", "wraps", "createdAt")
     SELECT "versionId", "id", "instanceId", 'AES-256', decode(repeat('00', 40), 'hex'), decode(repeat('00', 32), 'hex'), 0, "createdAt"
     FROM "keys" WHERE "instanceId" = $1`,
    [instanceId],
  );
  await db.query(
    `INSERT INTO "key_aliases" ("instanceId", "alias", "keyId", "createdBy", "createdAt")
     SELECT "instanceId", "aliases"[1], "id", 'bench', "createdAt" FROM "keys" WHERE "instanceId" = $1`,
    [instanceId],
  );
}

async function median(act) {
  const times = [];
  for (let round = -5; round < ROUNDS; round += 1) {
    const before = performance.now();
    await act();
    if (round >= 0) times.push(performance.now() - before);
  }
  return times.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)];
}

function print(results) {
  const [first] = results;
  const cell = (text) => String(text).padStart(18);
  console.log(`${'median, ms'.padEnd(26)}${results.map(({ size }) => cell(size.toLocaleString('en'))).join('')}`);
  for (const name of Object.keys(first.medians)) {
    const cells = results.map(({ medians }) => {
      const ratio = medians[name] / first.medians[name];
      return cell(`${medians[name].toFixed(2)} (${ratio.toFixed(2)})`);
    });
    console.log(`${name.padEnd(26)}${cells.join('')}`);
  }
}
