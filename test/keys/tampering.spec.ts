import { randomUUID } from 'node:crypto';
import { cpSync, rmSync } from 'node:fs';
import { hashOf } from '../../src/audit/audit-chain.js';
import { CreateGrant } from '../../src/keys/grants.command.js';
import { Admins, adminKey } from '../admin.js';
import { becomes } from '../units.js';
import { until } from '../until.js';
import type { World } from '../world.js';
import { keyBody } from './key-world.js';
import { MANAGER, Model } from './model.js';
import { anotherValue, columnsOf, type TableColumn } from './tampering.js';

/** Somebody writes into the database, or puts back what was there before: found before it is used, or by the next walk. */
let model: Model;
let world: World;
let other: string;
beforeAll(async () => {
  model = await Model.start({ KEYSTEAD_TIMER_INTEGRITY_MS: '250' });
  world = model.at.world;
  other = (await world.api('POST', '/api/v1/instances', { name: 'OTHER' })).body.id;
}, 240_000);
afterAll(() => model.end());

const FOUND_WITHIN_MS = 10_000;

/** Tables of which the audit log tells each row, so that every column counts. */
const WATCHED = [
  ...['keys', 'key_versions', 'key_aliases', 'key_grants'],
  ...['api_keys', 'access_keys', 'instance_policies'],
  'audit_lines',
];
/** Columns that say what a unit is, against which the unit itself is held. */
const HELD_AGAINST_UNITS: Readonly<Record<string, readonly [string, string]>> = {
  'instances.mkvp': ['MasterKeyMatches', 'OtherMasterKey'],
  'crypto_units.serial': ['Quarantined', 'SerialChanged'],
  'crypto_units.claimedEpoch': ['Quarantined', 'EpochChanged'],
};
/** What may be changed without being found, a column or a whole table, and why that gives nothing. */
const HARMLESS: Readonly<Record<string, string>> = {
  'access_nonces.*': 'without a nonce one captured request can be sent again while it is fresh; none can be made',
  'audit_checkpoints.*': 'what counts is the signed document; verify checks it, and each unit keeps its own last one',
  'crypto_units.*': 'where a unit is found, and what it last said of itself; its token and its agent say what it is',
  'failed_attempts.*': 'how soon somebody may try to log in again; whoever writes here needs no login',
  'import_pairs.*': 'units take no pair whose row MAC is another one; the times say which pair is next',
  'import_parameters.*': 'they name a pair, which units check; what does not open is answered alike, however often',
  'import_tokens.*': 'they name a pair, which units check; what does not open is answered alike, however often',
  'instances.*': 'a name, and whether it is served at all; a unit knows its instance from its own record',
  'key_registrations.*': 'shown to clients; they keep a key from being deleted and open nothing',
  'key_rings.*': 'a name; the log tells with each key in which ring it is',
  'key_totals.*': 'numbers for quotas and counts',
  'key_versions.wraps': 'random IVs do not come from it; set back, it lets a key be used past its limit of 2^32',
  'migrations.*': "TypeORM's own: what is wrong here ends the next start",
  'operations.*': 'units obey signatures; the audit log has every document',
  'operation_units.*': 'units obey signatures; the audit log has every receipt',
};

const health = async () => (await world.api('GET', '/health')).body.checks;
const found = (id: string) => world.log.split('\n').some((line) => line.includes('s-changed"') && line.includes(id));
const untilFound = async (ids: readonly string[]) => {
  const missing = () => ids.filter((id) => !found(id));
  const why = () => `never found: ${missing().join(', ')}\n${world.logTail()}`;
  await until(async () => missing().length === 0, FOUND_WITHIN_MS, why);
};
const wrap = async (id: string) => (await model.at.send('POST', `keys/${id}/actions/wrap`, {})).status;
const columns = async (...tables: string[]) =>
  (await columnsOf(model.at.db)).filter(
    ({ table, column }) => tables.includes(table) && !HARMLESS[`${table}.${column}`],
  );
const change = ({ table, column, type }: TableColumn, where: string, id: string) =>
  model.at.db.query(`UPDATE "${table}" SET "${column}" = ${anotherValue(column, type)} WHERE ${where}`, [id]);

it('every column of every table is watched, held against a unit, or harmless for a reason', async () => {
  const names = (await columnsOf(model.at.db)).map(({ table, column }) => [`${table}.${column}`, `${table}.*`, table]);
  const judged = names.filter(([column = '', all = '', table = '']) => {
    return WATCHED.includes(table) || HARMLESS[column] || HARMLESS[all] || HELD_AGAINST_UNITS[column];
  });
  expect(judged).toEqual(names);
  const known = new Set(names.flat());
  expect(
    [...WATCHED, ...Object.keys(HARMLESS), ...Object.keys(HELD_AGAINST_UNITS)].filter((one) => !known.has(one)),
  ).toEqual([]);
});

it('a key of which one value was changed, in any column, is found, and no unit uses it', async () => {
  const all = await columns('keys', 'key_versions', 'key_aliases', 'key_grants');
  const changed: string[] = [];
  for (const one of all) {
    const id = await model.at.key({ aliases: [`alias-${changed.length}`] });
    await model.ask(new CreateGrant(MANAGER, model.target(id), { grantee: 'friend', operations: ['encrypt'] }));
    const { rowCount } = await change(one, `"${one.table === 'keys' ? 'id' : 'keyId'}" = $1`, id);
    expect([one, rowCount]).toEqual([one, 1]);
    changed.push(id);
  }
  expect(all.length).toBeGreaterThan(50);
  await untilFound(changed);
  for (const id of changed) expect(await wrap(id)).not.toBe(200);
  expect((await health())['keys:integrity'][0].observedValue).toBeGreaterThanOrEqual(all.length);
  expect(await wrap(await model.at.key())).toBe(200);
}, 120_000);

it('rows that were swapped between keys or instances, removed, or copied under a new id are found', async () => {
  const [one, two, moved, removed, copied] = await Promise.all(Array.from({ length: 5 }, () => model.at.key()));
  const { db } = model.at;
  await db.query(
    `UPDATE "key_versions" "v" SET "blob" = "w"."blob", "mac" = "w"."mac" FROM "key_versions" "w"
     WHERE "v"."keyId" IN ($1, $2) AND "w"."keyId" IN ($1, $2) AND "w"."id" <> "v"."id"`,
    [one, two],
  );
  await db.query(`UPDATE "keys" SET "instanceId" = $2 WHERE "id" = $1`, [moved, other]);
  await db.query(`UPDATE "key_versions" SET "instanceId" = $2 WHERE "keyId" = $1`, [moved, other]);
  await db.query(`DELETE FROM "keys" WHERE "id" = $1`, [removed]);
  await db.query(`DELETE FROM "key_versions" WHERE "keyId" = $1`, [removed]);
  const copy = randomUUID();
  const values = (await columns('keys')).map(({ column }) => (column === 'id' ? '$2::uuid' : `"${column}"`));
  await db.query(`INSERT INTO "keys" SELECT ${values.join()} FROM "keys" WHERE "id" = $1`, [copied, copy]);
  await untilFound([one, two, moved, removed, copy].map(String));
  for (const id of [one, two, moved, removed]) expect(await wrap(String(id))).not.toBe(200);
}, 60_000);

it('a key that was set back to what it was is found, also under a line that was put into the log for it', async () => {
  const { db } = model.at;
  const id = await model.at.key();
  const rows = async (table: string, by: string) =>
    (await db.query(`SELECT * FROM "${table}" WHERE "${by}" = $1`, [id])).rows[0];
  const [key, version] = [await rows('keys', 'id'), await rows('key_versions', 'keyId')];
  expect((await model.at.send('POST', `keys/${id}/actions/disable`)).status).toBe(204);
  expect(await wrap(id)).toBe(409);
  await db.query(
    `UPDATE "keys" SET "state" = $2, "changedAt" = $3, "updatedAt" = $4, "auditSeq" = $5 WHERE "id" = $1`,
    [...[id, key.state, key.changedAt, key.updatedAt, key.auditSeq]],
  );
  await db.query(`UPDATE "key_versions" SET "mac" = $2 WHERE "id" = $1`, [version.id, version.mac]);
  const of = `"target" = $1 AND "detail" LIKE '%"row":%' ORDER BY "seq"`;
  const [told] = (await db.query(`SELECT * FROM "audit_lines" WHERE ${of} LIMIT 1`, [id])).rows;
  const [last] = (await db.query(`SELECT * FROM "audit_lines" ORDER BY "seq" DESC LIMIT 1`)).rows;
  const forged = { ...told, seq: String(BigInt(last.seq) + 1n), at: new Date() };
  const line = [forged.seq, forged.at, forged.act, forged.outcome, forged.by, forged.instanceId, forged.unitId];
  await db.query(`INSERT INTO "audit_lines" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, [
    ...[...line, forged.target, forged.detail, hashOf(forged, last.hash), forged.correlationId, forged.requestPath],
  ]);
  await untilFound([id]);
  expect(await wrap(id)).toBe(500);
}, 60_000);

it('a changed credential or policy is found, in any column', async () => {
  const changed: string[] = [];
  for (const one of await columns('api_keys')) {
    const { id } = await model.at.apiKey(['Reader']);
    await change(one, '"id" = $1', id);
    changed.push(id);
  }
  for (const one of await columns('access_keys')) {
    const given = { dialect: 'alibaba', instanceId: model.at.instance, name: 'client' };
    const { accessKeyId } = (await world.api('POST', '/api/v1/access-keys', given)).body;
    await change(one, '"id" = $1', accessKeyId);
    changed.push(accessKeyId);
  }
  const policies = '/api/v2/instance/policies?policy=metrics';
  const metrics = { resources: [{ policy_type: 'metrics', policy_data: { enabled: true } }] };
  const spoilt = async () => (await health())['database:rows'][0].observedValue as number;
  await until(
    async () => (await spoilt()) >= changed.length,
    FOUND_WITHIN_MS,
    () => world.logTail(),
  );
  await untilFound(changed);
  const before = await spoilt();
  for (const one of await columns('instance_policies')) {
    const set = { ...keyBody({}), ...metrics };
    set.metadata.collectionType = 'application/vnd.ibm.kms.policy+json';
    const { status, text } = await world.api('PUT', policies, set, { 'bluemix-instance': model.at.instance });
    expect([status, text]).toEqual([204, '']);
    await until(
      async () => (await spoilt()) === before,
      FOUND_WITHIN_MS,
      () => `${one.column}: ${world.logTail()}`,
    );
    await change(one, '"instanceId" = $1', model.at.instance);
    await until(
      async () => (await spoilt()) > before,
      FOUND_WITHIN_MS,
      () => `${one.column}: ${world.logTail()}`,
    );
    await model.at.db.query(`DELETE FROM "instance_policies"`);
  }
}, 120_000);

it('a changed line of the audit log is found, in any column', async () => {
  const { db } = model.at;
  await db.query('ALTER TABLE "audit_lines" DISABLE TRIGGER ALL');
  const [saved] = (await db.query('SELECT * FROM "audit_lines" WHERE "seq" = 2')).rows;
  const said = async (what: string, column = 'at the end') => {
    const is = async () => (await health())['audit:checkpoints'][0].observedValue === what;
    await until(is, FOUND_WITHIN_MS, () => `not ${what}: ${column}\n${world.logTail()}`);
  };
  for (const one of await columns('audit_lines')) {
    await said('held', one.column);
    await change(one, '"seq" = $1', '2');
    await said('AuditTampered', one.column);
    await db.query(`UPDATE "audit_lines" SET "${one.column}" = $1 WHERE "seq" IN (2, 1002)`, [saved[one.column]]);
  }
  await said('held');
  await db.query('ALTER TABLE "audit_lines" ENABLE ALWAYS TRIGGER "audit_lines_append_only"');
}, 120_000);

it.each(Object.entries(HELD_AGAINST_UNITS))(
  '%s that is not what the unit says stops the unit',
  async (name, [type, reason]) => {
    const [table = '', column = ''] = name.split('.');
    const { db, instance } = model.at;
    const [unit] = (await world.units()).map(({ id }) => id);
    const id = table === 'instances' ? instance : unit;
    const [saved] = (await db.query(`SELECT "${column}" AS "was" FROM "${table}" WHERE "id" = $1`, [id])).rows;
    await db.query(`UPDATE "${table}" SET "${column}" = repeat('0', 32) WHERE "id" = $1`, [id]);
    await becomes(world, unit ?? '', [type, type === 'Quarantined' ? 'True' : 'False', reason], FOUND_WITHIN_MS);
    await db.query(`UPDATE "${table}" SET "${column}" = $2 WHERE "id" = $1`, [id, saved.was]);
    await becomes(world, unit ?? '', ['Quarantined', 'False'], FOUND_WITHIN_MS);
  },
  60_000,
);

it('the directory of a unit as it was yesterday, with its token, stops the unit', async () => {
  const admins = new Admins(world, other);
  const { body } = await world.api('GET', '/api/v1/cryptounits', undefined, { 'instance-id': other });
  const ids = (body as { id: string }[]).map(({ id }) => id);
  const [unit = ''] = ids;
  const yesterday = `${world.dir}/yesterday`;
  await admins.initialise(ids);
  await world.stopServer();
  cpSync(world.unitDir(unit), yesterday, { recursive: true });
  await world.launch();
  await admins.reach(ids);
  expect(await admins.addAdmin('bob', adminKey(), ids)).toMatchObject({ [unit]: { code: 'ok' } });
  await world.stopServer();
  rmSync(world.unitDir(unit), { recursive: true });
  cpSync(yesterday, world.unitDir(unit), { recursive: true });
  await world.launch();
  const conditions = async () =>
    (await world.api('GET', '/api/v1/cryptounits', undefined, { 'instance-id': other })).text;
  await until(
    async () => (await conditions()).includes('TokenRolledBack'),
    FOUND_WITHIN_MS,
    () => world.logTail(),
  );
}, 120_000);
