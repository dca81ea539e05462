import { existsSync } from 'node:fs';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { kp, ownDirectory } from './kp.js';
import { type Answer, refusal, StandInKeys } from './stand-in-keys.js';

const ID = '6e0aead3-9d44-4c92-a4c4-f7a1ab415420';
const SECRET = 'kp_nobody-but-the-caller-may-see-this';
const MADE = {
  id: ID,
  name: 'backup',
  roles: ['Writer'],
  scopes: [],
  createdAt: '2026-01-01T00:00:00Z',
  expiresAt: null,
};
const CALL = 'POST /api/v1/api-keys';

let server: StandInKeys;
let home: Awaited<ReturnType<typeof ownDirectory>>;
beforeEach(async () => {
  server = await new StandInKeys().start();
  home = await ownDirectory();
  server.answers = {
    [CALL]: { status: 201, body: { ...MADE, apiKey: SECRET } },
    [`DELETE /api/v1/api-keys/${ID}`]: { status: 204 },
  };
});
afterEach(async () => {
  await server.stop();
  await home.drop();
});
const run = (...args: string[]) => kp(['api-key', ...args], { cwd: home.path, env: server.env });

test('a new API key is shown this once', async () => {
  const { code, stdout } = await run('create', 'backup', '--role', 'writer,Reader', '--expires', '2031-12-31');
  expect([code, stdout]).toEqual([0, `OK\nAPI key backup has the id ${ID}. It is shown this once:\n${SECRET}\n`]);
  const expected = { name: 'backup', roles: ['Writer', 'Reader'], expiresAt: '2031-12-31T00:00:00.000Z' };
  expect(server.last.body).toEqual(expected);
  const json = JSON.parse((await run('create', 'backup', '--role', 'Writer', '-o', 'json')).stdout);
  expect(json).toEqual({ ...MADE, apiKey: SECRET });
});

test('with --file it is in a file of its owner, which kp takes as KP_API_KEY_FILE, and nowhere else', async () => {
  for (const [file, more] of [
    ['a.apikey', []],
    ['b.apikey', ['-o', 'json']],
  ] as const) {
    const { code, stdout, stderr } = await run('create', 'backup', '--role', 'Writer', '--file', file, ...more);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(file);
    expect(stdout).not.toContain(SECRET);
    expect((await stat(join(home.path, file))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(home.path, file), 'utf8')).toBe(`${SECRET}\n`);
  }
});

test('a file that exists stops it before anything is made', async () => {
  await writeFile(join(home.path, 'there'), 'precious');
  const ran = await run('create', 'backup', '--role', 'Writer', '--file', 'there');
  expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining('never overwritten')]);
  expect(server.seen).toEqual([]);
});

test('a key whose file cannot be written after all is revoked again', async () => {
  const spoil: Answer = { status: 201, body: { ...MADE, apiKey: SECRET } };
  // the answer comes late enough for the directory to become unsafe in between
  Object.defineProperty(server.answers, CALL, {
    get: () => {
      void chmod(home.path, 0o777);
      return spoil;
    },
  });
  const ran = await run('create', 'backup', '--role', 'Writer', '--file', 'a.apikey');
  expect([ran.code, ran.stdout]).toEqual([1, '']);
  expect(ran.stderr).toContain('the key is revoked again');
  expect(server.last.call).toBe(`DELETE /api/v1/api-keys/${ID}`);
  expect(existsSync(join(home.path, 'a.apikey'))).toBe(false);
});

test('every role holds in every scope that is given, in the instance of the command unless it names another', async () => {
  const scopes = ['--scope', `instance=${ID},key-ring=backups`, '--scope', `key=${ID}`];
  await run('create', 'backup', '--role', 'Reader', '--role', 'KeyPurge', ...scopes);
  expect(server.last.body).toEqual({
    name: 'backup',
    scopes: [
      { role: 'Reader', instanceId: ID, keyRingId: 'backups' },
      { role: 'KeyPurge', instanceId: ID, keyRingId: 'backups' },
      { role: 'Reader', instanceId: server.instance, keyId: ID },
      { role: 'KeyPurge', instanceId: server.instance, keyId: ID },
    ],
  });
});

test('a role for an instance alone asks for nothing else', async () => {
  await run('create', 'backup', '--role', 'Reader', '--scope', `instance=${ID}`);
  expect(server.seen.map(({ call }) => call)).toEqual([CALL]);
  expect(server.last.body).toEqual({ name: 'backup', scopes: [{ role: 'Reader', instanceId: ID }] });
});

test('API keys are listed with their roles and where these hold', async () => {
  const scoped = {
    ...MADE,
    roles: [],
    scopes: [{ role: 'Reader', keyRingId: 'backups' }],
    revokedAt: '2026-02-01T00:00:00Z',
  };
  server.answers['GET /api/v1/api-keys'] = { status: 200, body: { apiKeys: [MADE, scoped] } };
  const { stdout } = await run('list');
  expect(stdout.split('\n')).toEqual([
    'ID                                     Name     Roles                     Created                Expires   Revoked',
    `${ID}   backup   Writer                    2026-01-01T00:00:00Z`,
    `${ID}   backup   Reader@key-ring=backups   2026-01-01T00:00:00Z             2026-02-01T00:00:00Z`,
    '',
  ]);
  expect(JSON.parse((await run('list', '-o', 'json')).stdout)).toEqual([MADE, scoped]);
});

test('revoking names the key, and an unknown one is refused in a sentence', async () => {
  expect(await run('revoke', ID)).toEqual({ code: 0, stdout: 'OK\n', stderr: '' });
  server.answers[`DELETE /api/v1/api-keys/${ID}`] = refusal(404, 'NOT_FOUND', `there is no API key ${ID}`);
  expect(await run('revoke', ID)).toMatchObject({ code: 1, stderr: `FAILED\nthere is no API key ${ID}\n` });
});
