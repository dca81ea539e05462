import { createHash } from 'node:crypto';
import { until } from '../until.js';
import { HuaweiWorld, type Sending } from './huawei-world.js';
import { signed } from './signer.js';

let w: HuaweiWorld;
beforeAll(async () => {
  w = await HuaweiWorld.start({ KEYSTEAD_TIMER_KEYSTONE_TOKEN_MS: '6000' });
}, 180_000);
afterAll(() => w?.end(), 30_000);

const AGENTS = { go: 'golangsdk/2.0.0', python: 'huaweicloud-usdk-python/3.0; os/Linux##1' } as const;

/** Sends what a client of another language sends: its headers, its way to write JSON, its signature. */
function sendSigned(
  form: 'access' | 'scoped',
  path: string,
  sending: Sending & { date?: Date; signedPath?: string } = {},
) {
  const { method = 'POST', headers = {}, body = '', date, signedPath } = sending;
  const request = { method, path, headers, body, form, host: w.host, date, signedPath } as Parameters<typeof signed>[1];
  return w.send(path, { method, headers: signed(w.key, request), ...(body !== '' && { body }) });
}

describe('a signature', () => {
  it('of Python holds: blanks in the JSON, user-agent among the signed headers', async () => {
    const got = await sendSigned('access', `${w.path}/create-key`, {
      headers: {
        'user-agent': AGENTS.python,
        'content-type': 'application/json;charset=utf-8',
        'x-project-id': w.key.project,
      },
      body: '{"key_alias": "py-1", "origin": "external"}',
    });
    expect(got.status).toBe(200);
    expect(await w.state(got.body.key_info.key_id)).toBe('5');
  });

  it('of Go holds: the older form, a line end behind the JSON, a header that was added after signing', async () => {
    const body = '{"key_alias":"go-aksk","key_description":"d é"}\n';
    const headers = { accept: 'application/json', 'content-type': 'application/json', 'user-agent': AGENTS.go };
    const path = `${w.path}/create-key`;
    const all = signed(w.key, { method: 'POST', path, headers, body, form: 'scoped', host: w.host });
    const got = await w.send(path, { method: 'POST', headers: { ...all, 'x-project-id': w.key.project }, body });
    expect(got.status).toBe(200);
  });

  it('holds for a path with blanks that was encoded once, and for one that was encoded twice', async () => {
    const keyId = await w.newCmk();
    for (const signedPath of ['tag%20key', 'tag%2520key']) {
      await w.post(`${keyId}/tags`, { tag: { key: 'tag key', value: '' } });
      const path = `${w.path}/${keyId}/tags/tag%20key`;
      const got = await sendSigned('access', path, {
        method: 'DELETE',
        signedPath: `${w.path}/${keyId}/tags/${signedPath}`,
      });
      expect(got.status).toBe(204);
    }
  });

  it('holds with the hash of the body in a header', async () => {
    const body = '{"limit":"1"}';
    const headers = { 'x-sdk-content-sha256': createHash('sha256').update(body).digest('hex') };
    expect((await sendSigned('access', `${w.path}/list-keys`, { headers, body })).status).toBe(200);
    const unsigned = { 'x-sdk-content-sha256': 'UNSIGNED-PAYLOAD', 'content-type': 'application/json' };
    expect((await sendSigned('access', `${w.path}/list-keys`, { headers: unsigned, body })).status).toBe(401);
  });

  it('holds for 15 minutes, on both sides', async () => {
    const at = (minutes: number) =>
      sendSigned('access', `${w.path}/list-keys`, { body: '{}', date: new Date(Date.now() + minutes * 60_000) });
    expect([(await at(-14)).status, (await at(14)).status]).toEqual([200, 200]);
    expect([(await at(-16)).status, (await at(16)).status]).toEqual([401, 401]);
  });

  it('does not hold for another body', async () => {
    const path = `${w.path}/create-key`;
    const body = '{"key_alias":"one"}';
    const headers = signed(w.key, { method: 'POST', path, headers: {}, body, form: 'access', host: w.host });
    const got = await w.send(path, { method: 'POST', headers, body: '{"key_alias":"two"}' });
    expect([got.status, got.body.error_code]).toEqual([401, 'APIGW.0301']);
  });

  it('ends with its access key', async () => {
    const key = await w.newKey('Reader');
    const path = `/v1.0/${key.project}/kms/list-keys`;
    const asked = () => {
      const headers = signed(key, { method: 'POST', path, headers: {}, body: '{}', form: 'access', host: w.host });
      return w.send(path, { method: 'POST', headers, body: '{}' });
    };
    expect((await asked()).status).toBe(200);
    const token = await w.login(key);
    const revoked = await w.world.kp('access-key', 'revoke', key.accessKeyId);
    expect(revoked.code).toBe(0);
    expect((await asked()).status).toBe(401);
    const again = await w.send(path, { method: 'POST', headers: { 'x-auth-token': token }, body: '{}' });
    expect(again.body.error_msg).toContain('decrypt token fail');
  });
});

describe('the gateway refuses', () => {
  it.each<[string, Record<string, string>, string]>([
    ['a request without credentials', {}, 'x-auth-token not found'],
    ['an IBM token', { authorization: 'Bearer kp_x' }, 'x-auth-token not found'],
    ['a token that is none', { 'x-auth-token': 'none' }, 'decrypt token fail'],
  ])('%s', async (_what, headers, why) => {
    const got = await w.send(`${w.path}/list-keys`, { method: 'POST', headers, body: '{}' });
    expect(got.status).toBe(401);
    expect(got.body).toEqual({
      error_msg: `Incorrect IAM authentication information: ${why}`,
      error_code: 'APIGW.0301',
      request_id: String(got.headers['x-request-id']).replaceAll('-', ''),
    });
  });

  it('a token of the dialect of IBM, and IBM’s routes one of ours', async () => {
    const form = new URLSearchParams({ grant_type: 'urn:ibm:params:oauth:grant-type:apikey', apikey: w.world.apiKey });
    const ibm = await w.send('/identity/token', { method: 'POST', body: form.toString() });
    const crossed = { method: 'POST', headers: { 'x-auth-token': ibm.body.access_token }, body: '{}' };
    expect((await w.send(`${w.path}/list-keys`, crossed)).status).toBe(401);
    const authorization = `Bearer ${await w.login(w.key)}`;
    expect((await w.world.api('GET', '/api/v1/instances', undefined, { authorization })).status).toBe(401);
  });
});

it('a project that is not the one of the access key is refused', async () => {
  const other = { ...w.key, project: '0'.repeat(32) };
  const headers = { 'x-auth-token': await w.login(w.key) };
  const got = await w.send(`/v1.0/${other.project}/kms/list-keys`, { method: 'POST', headers, body: '{}' });
  expect([got.status, got.body.error_code]).toEqual([403, 'KMS.0307']);
});

it('paths that are none, and methods that are not served, have codes of their own', async () => {
  expect((await w.ask('POST', 'no-such-operation', {})).body.error_code).toBe('KMS.0201');
  const method = await w.ask('PUT', 'create-key', {});
  expect([method.status, method.body.error_code]).toEqual([405, 'KMS.0215']);
});

describe('Keystone', () => {
  const login = (auth: object) => w.send('/v3/auth/tokens', { method: 'POST', body: JSON.stringify({ auth }) });
  const identity = (name: string, password: string) => ({
    methods: ['password'],
    password: { user: { name, password, domain: { name: 'OTC' } } },
  });

  it('says its version', async () => {
    for (const path of ['/v3', '/v3/']) {
      const { version } = (await w.send(path)).body;
      expect(version).toMatchObject({ id: 'v3.6', status: 'stable', links: [{ rel: 'self', href: `${w.url}/v3/` }] });
    }
  });

  it('gives a token for a project by id, by name, and without a scope', async () => {
    const { accessKeyId, secret, project } = w.key;
    for (const scope of [{ project: { id: project } }, { project: { name: 'eu-de' } }, undefined]) {
      const got = await login({ identity: identity(accessKeyId, secret), ...(scope && { scope }) });
      expect(got.status).toBe(201);
      const { token } = got.body;
      expect(token).toMatchObject({
        methods: ['password'],
        project: { id: project, name: 'eu-de' },
        user: { name: accessKeyId },
      });
      expect(Date.parse(token.expires_at) - Date.parse(token.issued_at)).toBe(6000);
      const endpoints = Object.fromEntries(
        token.catalog.map((one: { type: string; endpoints: object[] }) => [one.type, one.endpoints]),
      );
      expect(endpoints.kmsv1).toMatchObject([
        { interface: 'public', region: 'eu-de', url: `${w.url}/v1.0/${project}` },
      ]);
      expect(endpoints.kms).toMatchObject([{ interface: 'public', region: 'eu-de', url: `${w.url}/v1.0` }]);
      const headers = { 'x-auth-token': String(got.headers['x-subject-token']) };
      expect((await w.send(`${w.path}/list-keys`, { method: 'POST', headers, body: '{}' })).status).toBe(200);
    }
  });

  it('refuses another password, another user and another project in its own words', async () => {
    const { accessKeyId, secret } = w.key;
    const refused = [
      { identity: identity(accessKeyId, 'another') },
      { identity: identity('AKEXAMPLE00000000000', secret) },
      { identity: identity(accessKeyId, secret), scope: { project: { id: '0'.repeat(32) } } },
    ];
    for (const auth of refused) {
      const got = await login(auth);
      expect([got.status, got.body.error.code, got.body.error.title]).toEqual([401, 401, 'Unauthorized']);
    }
    const unread = await w.send('/v3/auth/tokens', { method: 'POST', body: '{"auth":{}}' });
    expect([unread.status, unread.body.error.code]).toEqual([400, 400]);
  });

  it('ends a token when its time is over', async () => {
    const headers = { 'x-auth-token': await w.login(w.key) };
    const ask = () => w.send(`${w.path}/list-keys`, { method: 'POST', headers, body: '{}' });
    expect((await ask()).status).toBe(200);
    await until(async () => (await ask()).status === 401, 15_000);
  }, 30_000);

  it('lists catalog, projects and domains for a token and for a signature', async () => {
    const headers = { 'x-auth-token': await w.login(w.key) };
    expect((await w.send('/v3/auth/catalog', { headers })).body.catalog).toHaveLength(3);
    const byRegion = await sendSigned('access', '/v3/projects?name=eu-de', { method: 'GET' });
    expect(byRegion.body.projects).toMatchObject([{ id: w.key.project, name: 'eu-de' }]);
    const { domains } = (await sendSigned('scoped', '/v3/auth/domains', { method: 'GET' })).body;
    expect(domains).toMatchObject([{ id: byRegion.body.projects[0].domain_id, enabled: true }]);
    expect((await w.send('/v3/auth/catalog')).status).toBe(401);
  });
});

it('lists versions at the root, which it shares, and at its own path', async () => {
  const self = { id: 'v1.0', status: 'CURRENT', links: [{ href: `${w.url}/v1.0/`, rel: 'self' }] };
  expect((await w.send('/')).body).toMatchObject({ versions: [self] });
  for (const path of ['/v1.0', '/v1.0/']) expect((await w.send(path)).body).toMatchObject({ version: self });
});

it('takes numbers as numbers and as text, and empty text for none, as the clients send them', async () => {
  const keyId = await w.newCmk();
  for (const pending_days of [7, '1096']) {
    await w.ok('schedule-key-deletion', { key_id: keyId, pending_days });
    await w.ok('cancel-key-deletion', { key_id: keyId });
  }
  await w.ok('enable-key', { key_id: keyId });
  for (const datakey_length of [512, '512']) {
    expect((await w.ok('create-datakey', { key_id: keyId, datakey_length })).plain_text).toHaveLength(128);
  }
  expect((await w.ok('create-datakey', { key_id: keyId, datakey_length: '' })).plain_text).toHaveLength(64);
  for (const random_data_length of [512, '512']) {
    expect((await w.ok('gen-random', { random_data_length })).random_data).toHaveLength(128);
  }
  for (const page of [
    { limit: 1, marker: 0 },
    { limit: '1', marker: '0' },
    { limit: '', marker: '' },
  ]) {
    expect((await w.ok('list-keys', page)).keys.length).toBeGreaterThan(0);
  }
});

it('finds a key by a name that is no id as otcextensions does: a refusal, then the list', async () => {
  const keyId = await w.newCmk({ key_alias: 'by-name' });
  expect(await w.refusal('describe-key', { key_id: 'by-name' })).toBe('KMS.0205');
  const { key_details } = await w.ok('list-keys');
  expect(key_details.filter((one: { key_alias: string }) => one.key_alias === 'by-name')).toMatchObject([
    { key_id: keyId },
  ]);
  expect((await w.ok('describe-key', { key_id: 'alias/by-name' })).key_info.key_id).toBe(keyId);
});
