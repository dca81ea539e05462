import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { DataSource } from 'typeorm';
import { ApiKey } from '../../src/access/api-key.entity.js';
import { hashOfApiKey, makeApiKey } from '../../src/access/api-key-text.js';
import { Authentication } from '../../src/access/authentication.js';
import { BootstrapKey } from '../../src/access/bootstrap-key.js';
import { FailedAttempts } from '../../src/access/failed-attempts.js';
import { TokenKey } from '../../src/access/token-key.js';
import { AuditLine } from '../../src/audit/audit-line.entity.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import { loadConfig } from '../../src/config/config.js';
import { ReadLane } from '../../src/database/read-lane.js';
import { makeDatabase, type OwnDatabase, openWith } from './own-database.js';

let own: OwnDatabase;
let db: DataSource;
let dataDir: string;
let authentication: Authentication;
beforeEach(async () => {
  own = await makeDatabase();
  db = await openWith(own.url, [ApiKey, AuditLine]);
  dataDir = mkdtempSync(join(tmpdir(), 'keystead-access-'));
  const config = loadConfig({ KEYSTEAD_DATA_DIR: dataDir });
  authentication = new Authentication(new ReadLane(db), new TokenKey(config), new FailedAttempts(db, config));
});
afterEach(async () => {
  rmSync(dataDir, { recursive: true });
  await db.destroy();
  await own.drop();
});

const keyFile = () => join(dataDir, 'bootstrap-api-key');
const writtenKey = () => readFileSync(keyFile(), 'utf8').trim();
const who = (key: string) => authentication.authenticate({ authorization: `Bearer ${key}` });
const refused = { code: 'UNAUTHENTICATED' };

/** A start of the server, as far as the first key goes. */
function start(database = db): Promise<void> {
  const config = loadConfig({ KEYSTEAD_DATA_DIR: dataDir });
  return new BootstrapKey(database, new AuditLog(database), config, pino({ level: 'silent' })).onApplicationBootstrap();
}

async function keyWith(changes: Partial<ApiKey>): Promise<string> {
  const key = makeApiKey();
  const times = { createdAt: new Date(), expiresAt: null, revokedAt: null };
  await db.manager.insert(ApiKey, {
    id: randomUUID(),
    name: 'k',
    hash: hashOfApiKey(key),
    roles: [],
    scopes: [],
    ...times,
    ...changes,
  });
  return key;
}

describe('the first Manager key', () => {
  it('is made at the first start, in a file for its owner only, and works', async () => {
    await start();
    expect(statSync(keyFile()).mode & 0o777).toBe(0o600);
    expect(readdirSync(dataDir)).toEqual(['bootstrap-api-key']);
    expect(await who(writtenKey())).toMatchObject({ name: 'bootstrap', roles: ['Manager'] });
  });

  it('stays the same at later starts, and nothing is made when its file was taken away', async () => {
    await start();
    const key = writtenKey();
    await start();
    expect(writtenKey()).toBe(key);
    rmSync(keyFile());
    await start();
    expect(readdirSync(dataDir)).toEqual([]);
    expect(await who(key)).toMatchObject({ name: 'bootstrap' });
  });

  it('of a start that ended between file and row is the key of the next start', async () => {
    const key = makeApiKey();
    writeFileSync(keyFile(), `${key}\n`, { mode: 0o600 });
    await start();
    expect(writtenKey()).toBe(key);
    expect(await who(key)).toMatchObject({ roles: ['Manager'] });
  });

  it.each([
    ['is open to others', () => chmodSync(keyFile(), 0o644)],
    ['is cut off', () => writeFileSync(keyFile(), writtenKey().slice(0, 20))],
    ['is empty', () => writeFileSync(keyFile(), '')],
  ])('is a new one when the file that was left %s', async (_what, spoil) => {
    const key = makeApiKey();
    writeFileSync(keyFile(), `${key}\n`, { mode: 0o600 });
    spoil();
    await start();
    expect(writtenKey()).not.toBe(key);
    expect(statSync(keyFile()).mode & 0o777).toBe(0o600);
    await expect(who(key)).rejects.toMatchObject(refused);
    expect(await who(writtenKey())).toMatchObject({ roles: ['Manager'] });
  });

  it('is one key when several servers start at once', async () => {
    await Promise.all([start(), start(), start()]);
    expect(await db.manager.count(ApiKey)).toBe(1);
    expect(await who(writtenKey())).toMatchObject({ name: 'bootstrap' });
  });

  it('is made again only when no Manager key is in force', async () => {
    await start();
    const first = writtenKey();
    await db.manager.update(ApiKey, { name: 'bootstrap' }, { revokedAt: new Date() });
    await start();
    expect(writtenKey()).not.toBe(first);
    await expect(who(first)).rejects.toMatchObject(refused);
    expect(await who(writtenKey())).toMatchObject({ roles: ['Manager'] });
  });

  it('is in the audit log, and its text is neither there nor in the table of keys', async () => {
    await start();
    const [line] = await new AuditLog(db).list();
    expect(line).toMatchObject({ act: 'api-key.bootstrap', outcome: 'success' });
    const everything = JSON.stringify([line, await db.query('SELECT * FROM "api_keys"')]);
    expect(everything).not.toContain(writtenKey());
  });
});

describe('an API key', () => {
  it('is refused from the request on that follows its revocation', async () => {
    const key = await keyWith({ name: 'ci', roles: ['Reader'] });
    expect(await who(key)).toMatchObject({ name: 'ci', roles: ['Reader'] });
    await db.manager.update(ApiKey, { name: 'ci' }, { revokedAt: new Date() });
    await expect(who(key)).rejects.toMatchObject(refused);
  });

  it('is refused once it has expired', async () => {
    await expect(who(await keyWith({ expiresAt: new Date(Date.now() - 1) }))).rejects.toMatchObject(refused);
    expect(await who(await keyWith({ expiresAt: new Date(Date.now() + 60_000) }))).toMatchObject({ name: 'k' });
  });

  it('that is absent, malformed, unknown, revoked or expired gets the same answer', async () => {
    const past = new Date(Date.now() - 1);
    const headers = [
      {},
      { authorization: '' },
      { authorization: 'Bearer' },
      { authorization: 'Bearer kp_short' },
      { authorization: `Basic ${await keyWith({})}` },
      { authorization: `Bearer ${makeApiKey()}` },
      { authorization: `Bearer ${await keyWith({ revokedAt: past })}` },
      { authorization: `Bearer ${await keyWith({ expiresAt: past })}` },
    ];
    const answers = await Promise.all(headers.map((one) => authentication.authenticate(one).catch((cause) => cause)));
    expect(new Set(answers.map(({ code, message }) => `${code} ${message}`)).size).toBe(1);
    expect(answers[0]).toMatchObject(refused);
  });
});
