import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { makeDatabase, type OwnDatabase } from '../database/own-database.js';
import { ServerProcess } from '../database/server-process.js';
import { type Ran, ROOT, run } from '../processes.js';

/** A server of the production profile, before it has any unit, and its bootstrap key. */
const dir = mkdtempSync(join(tmpdir(), 'keystead-production-'));
const keyFile = join(dir, 'data', 'bootstrap-api-key');
let own: OwnDatabase;
let server: ServerProcess;
let env: Record<string, string>;

beforeAll(async () => {
  own = await makeDatabase();
  const closed = { caFile: 'ca.pem', certFile: 'a.pem', keyFile: 'a.key' };
  const agents = [{ name: 'unit-1', zone: 'zone-1', address: 'tls:127.0.0.1:1' }];
  writeFileSync(join(dir, 'agents.json'), JSON.stringify({ tls: closed, agents }));
  writeFileSync(join(dir, 'database-url'), own.url, { mode: 0o600 });
  env = {
    KEYSTEAD_PROFILE: 'production',
    KEYSTEAD_ALLOW_PLAINTEXT: '1',
    KEYSTEAD_AGENTS_FILE: join(dir, 'agents.json'),
    KEYSTEAD_DATABASE_URL_FILE: join(dir, 'database-url'),
  };
  server = await ServerProcess.start(dir, env);
}, 60_000);
afterAll(async () => {
  await server?.end();
  await own?.drop();
  rmSync(dir, { recursive: true, force: true });
});

const bootstrapKey = () => readFileSync(keyFile, 'utf8').trim();
const kp = (file: string, ...words: string[]): Promise<Ran> =>
  run(process.execPath, [join(ROOT, 'bin', 'kp'), ...words], {
    cwd: dir,
    env: { PATH: process.env['PATH'] ?? '', KP_TARGET_ADDR: server.url, KP_API_KEY_FILE: file },
  });
const create = (key: string, name: string, roles = ['Manager']) =>
  fetch(`${server.url}/api/v1/api-keys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ name, roles }),
  });
const keystead = (...words: string[]): Promise<Ran> =>
  run(process.execPath, [join(ROOT, 'bin', 'keystead'), ...words], {
    cwd: dir,
    env: {
      PATH: process.env['PATH'] ?? '',
      KEYSTEAD_DATA_DIR: join(dir, 'data'),
      KEYSTEAD_RUNTIME_DIR: join(dir, 'run'),
      ...env,
    },
  });
/** As the first key that is made when all others are lost. */
async function lockedOut(): Promise<string> {
  const { code, stderr } = await keystead('bootstrap');
  expect([code, stderr]).toEqual([0, '']);
  return bootstrapKey();
}
async function sql(text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: own.url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

describe('the bootstrap key of a production server', () => {
  it('ends after 24 hours', async () => {
    const life = 'round(extract(epoch FROM "expiresAt" - "createdAt") / 3600)::int';
    const [row] = await sql(`SELECT ${life} AS "hours", "bootstrap" FROM "api_keys"`);
    expect(row).toEqual({ bootstrap: true, hours: 24 });
  });

  it('does nothing but make a Manager key, and what it is refused says how', async () => {
    for (const words of [
      ['instance', 'list'],
      ['api-key', 'list'],
      ['audit', 'list'],
    ]) {
      const { code, stderr } = await kp(keyFile, ...words);
      expect([code, stderr]).toEqual([4, expect.stringMatching(/kp api-key create NAME --role Manager --file FILE/)]);
    }
    const reader = await kp(keyFile, 'api-key', 'create', 'reader', '--role', 'Reader', '--file', 'reader.apikey');
    expect([reader.code, reader.stderr]).toEqual([
      4,
      expect.stringContaining('the first Manager key and nothing else'),
    ]);
    const [row] = await sql(`SELECT count(*)::int AS "keys" FROM "api_keys" WHERE "revokedAt" IS NULL`);
    expect(row).toEqual({ keys: 1 });
  });

  it('is revoked by its one use, and the key that it made works', async () => {
    const made = await kp(keyFile, 'api-key', 'create', 'ada', '--role', 'Manager', '--file', 'ada.apikey');
    expect([made.code, made.stderr]).toEqual([0, '']);
    const again = await kp(keyFile, 'api-key', 'create', 'eve', '--role', 'Manager', '--file', 'eve.apikey');
    expect([again.code, again.stderr]).toEqual([4, expect.stringMatching(/does not accept.*one use/)]);
    expect((await kp('ada.apikey', 'instance', 'list')).code).toBe(0);
    const { stdout } = await kp('ada.apikey', 'audit', 'list', '--act', 'api-key.*', '-o', 'json');
    const lines = JSON.parse(stdout).map(({ act, outcome, by }: Record<string, string>) => `${act} ${outcome} ${by}`);
    expect(lines).toEqual(
      expect.arrayContaining([
        'api-key.bootstrap success keystead',
        'api-key.create failure bootstrap',
        'api-key.revoke success bootstrap',
        'api-key.create success bootstrap',
      ]),
    );
  });

  it('makes one key when it is used twice at the same time', async () => {
    const key = await lockedOut();
    const statuses = await Promise.all(Array.from({ length: 8 }, async (_, n) => (await create(key, `n${n}`)).status));
    expect(statuses.sort()).toEqual([201, ...Array(7).fill(401)]);
  });

  it('is refused when its day is over', async () => {
    const key = await lockedOut();
    await sql(`UPDATE "api_keys" SET "expiresAt" = now() - interval '1 s' WHERE "bootstrap" AND "revokedAt" IS NULL`);
    expect((await create(key, 'late')).status).toBe(401);
  });
});

describe('keystead bootstrap', () => {
  it('makes a new one while the server runs, revokes the one that waits, and is audited', async () => {
    const before = await lockedOut();
    const { code, stdout } = await keystead('bootstrap');
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/24 hours.*\nNext: KP_API_KEY_FILE=.* kp api-key create/),
    ]);
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    expect((await create(before, 'old')).status).toBe(401);
    expect((await create(bootstrapKey(), 'grace')).status).toBe(201);
    const { stdout: lines } = await kp('ada.apikey', 'audit', 'list', '--act', 'api-key.bootstrap', '-o', 'json');
    expect(JSON.parse(lines)[0]).toMatchObject({ by: 'keystead bootstrap', outcome: 'success' });
    expect(`${stdout}${lines}${server.output}`).not.toContain(bootstrapKey());
  });

  it('takes no operands, and no database URL that others can read', async () => {
    expect(await keystead('bootstrap', 'now')).toMatchObject({ code: 2, stderr: expect.stringContaining('usage: keystead bootstrap') }); // biome-ignore format: one line
    chmodSync(join(dir, 'database-url'), 0o640);
    expect(await keystead('bootstrap')).toMatchObject({ code: 2, stderr: expect.stringMatching(/mode 0400 or 0600/) });
    chmodSync(join(dir, 'database-url'), 0o600);
  });
});

it.each([
  ['KEYSTEAD_PIN', '1234'],
  ['KEYSTEAD_SEAL_KEY', 'a'.repeat(64)],
  ['PGPASSWORD', 'hunter2'],
  ['KEYSTEAD_DATABASE_URL', 'postgres://u:hunter2@localhost/d'],
])('a production server does not start with a secret in the environment: %s', async (name, value) => {
  const ran = await run(process.execPath, [join(ROOT, 'bin', 'keystead'), 'serve'], {
    cwd: dir,
    env: { PATH: process.env['PATH'] ?? '', ...env, KEYSTEAD_DATABASE_URL_FILE: '', [name]: value },
  });
  expect([ran.code, ran.stderr]).toEqual([2, expect.stringMatching(/takes no (secret|password) from the environment/)]);
  expect(ran.stderr).not.toContain(value);
});
