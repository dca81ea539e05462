import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { callersOf } from '../callers.js';
import { World } from '../world.js';
import { violationsOf } from './described.js';
import {
  type Got,
  KEY_TYPE,
  KeyProtectWorld,
  keyCollection,
  policyCollection,
  type Sending,
} from './key-protect-world.js';

let w: KeyProtectWorld;
let root: string;
let standard: string;
let imported: string;
beforeAll(async () => {
  w = await KeyProtectWorld.start({ KEYSTEAD_TIMER_PURGE_MS: '1' });
  root = (await w.create({ name: 'root' })).id;
  standard = (await w.create({ name: 'standard', extractable: true })).id;
  imported = (await w.create({ name: 'imported', payload: randomBytes(32).toString('base64') })).id;
}, 180_000);
afterAll(() => w?.end(), 30_000);
afterEach(() => expect(w.proxy.violations).toEqual([]));

/** Status and code of a refusal, whose code must stand in errorMsg too. */
function refusalIn({ status, body, text }: Got): { status: number; code: string; message: string; target?: object } {
  const [{ errorMsg, reasons }] = body.resources;
  if (status < 400 || reasons === undefined) throw new Error(text);
  const [{ code, message, target, ...rest }] = reasons;
  expect(errorMsg.endsWith(`(${code})`)).toBe(true);
  expect(rest).toEqual({ status, moreInfo: 'https://cloud.ibm.com/apidocs/key-protect' });
  return { status, code, message, ...(target !== undefined && { target }) };
}

const send = (method: string, path: string, sending: Sending = {}) => w.send(method, `/api/v2/${path}`, sending);
const key = (resource: object) => ({ body: keyCollection({ name: 'a key', extractable: false, ...resource }) });

/** Announces a body of so many bytes to the server itself and sends none of it. */
async function announce(bytes: number): Promise<Got> {
  const headers = { authorization: `Bearer ${w.world.apiKey}`, 'content-length': bytes };
  const asked = request(`${w.world.url}/api/v2/keys`, { method: 'POST', headers });
  asked.flushHeaders();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  const text = Buffer.concat(await answer.toArray()).toString();
  asked.destroy();
  const status = answer.statusCode ?? 0;
  expect(violationsOf({ method: 'POST', path: '/api/v2/keys', status, text })).toEqual([]);
  return { status, headers: new Headers(), text, body: JSON.parse(text) };
}

type Case = [title: string, status: number, code: string, ask: () => Promise<Got>];

describe('what cannot be read', () => {
  const cases: Case[] = [
    ['an unknown field', 400, 'BAD_BODY_ERR', () => send('POST', 'keys', key({ x: 1 }))],
    ['no JSON', 400, 'BAD_BODY_ERR', () => send('POST', 'keys', { body: '{"metadata":' })],
    ['a field of another type', 400, 'BAD_BODY_ERR', () => send('POST', 'keys', key({ name: 5 }))],
    ['no metadata', 400, 'BAD_BODY_ERR', () => send('POST', 'keys', { body: { resources: [{ name: 'ab' }] } })],
    [
      'two keys',
      400,
      'BAD_BODY_ERR',
      () => send('POST', 'keys', { body: keyCollection({ name: 'ab' }, { name: 'cd' }) }),
    ],
    [
      'a wrong total',
      400,
      'COLLECTION_TOTAL_MISMATCH_ERR',
      () =>
        send('POST', 'keys', {
          body: { metadata: { collectionType: KEY_TYPE, collectionTotal: 2 }, resources: [{ name: 'ab' }] },
        }),
    ],
    ['no body', 400, 'NO_BODY_ERR', () => send('POST', `keys/${root}/actions/unwrap`)],
    ['null', 400, 'NO_BODY_ERR', () => send('POST', `keys/${root}/actions/unwrap`, { body: 'null' })],
    ['a short name', 400, 'INVALID_FIELD_ERR', () => send('POST', 'keys', key({ name: 'a' }))],
    ['a name with NUL', 400, 'INVALID_FIELD_ERR', () => send('POST', 'keys', key({ name: 'a\u0000b' }))],
    ['a bad tag', 400, 'INVALID_FIELD_ERR', () => send('POST', 'keys', key({ tags: ['<b>'] }))],
    [
      'six aliases',
      400,
      'INVALID_FIELD_ERR',
      () => send('POST', 'keys', key({ aliases: [1, 2, 3, 4, 5, 6].map((n) => `alias${n}`) })),
    ],
    ['a reserved alias', 400, 'INVALID_FIELD_ERR', () => send('POST', `keys/${root}/aliases/policies`)],
    [
      'a past expiration',
      400,
      'INVALID_FIELD_ERR',
      () => send('POST', 'keys', key({ expirationDate: '2001-01-01T00:00:00Z' })),
    ],
    ['a date that is none', 400, 'INVALID_FIELD_ERR', () => send('POST', 'keys', key({ expirationDate: 'soon' }))],
    [
      'material of another length',
      400,
      'INVALID_FIELD_ERR',
      () => send('POST', 'keys', key({ payload: randomBytes(20).toString('base64') })),
    ],
    [
      'too much of a standard key',
      400,
      'INVALID_FIELD_ERR',
      () => send('POST', 'keys', key({ extractable: true, payload: randomBytes(7501).toString('base64') })),
    ],
    [
      'a nonce without iv',
      400,
      'INVALID_FIELD_ERR',
      () => send('POST', 'keys', key({ payload: 'AAAA', encryptedNonce: randomBytes(28).toString('base64') })),
    ],
    ['a limit of 0', 400, 'INVALID_QUERY_PARAM_ERR', () => send('GET', 'keys?limit=0')],
    ['a limit of 5001', 400, 'INVALID_QUERY_PARAM_ERR', () => send('GET', 'keys?limit=5001')],
    ['a state of 4', 400, 'INVALID_QUERY_PARAM_ERR', () => send('GET', 'keys?state=4')],
    ['state twice', 400, 'INVALID_QUERY_PARAM_ERR', () => send('GET', 'keys?state=1&filter=state%3D1')],
    ['a sort of nothing', 400, 'INVALID_QUERY_PARAM_ERR', () => send('GET', 'keys?sort=shoeSize')],
    ['NUL in a search', 400, 'INVALID_QUERY_PARAM_ERR', () => send('GET', 'keys?search=%00')],
    ['versions by a bad limit', 400, 'INVALID_QUERY_PARAM_ERR', () => send('GET', `keys/${root}/versions?limit=x`)],
  ];
  it.each(cases)('%s: %i %s', async (_title, status, code, ask) => {
    expect(refusalIn(await ask())).toMatchObject({ status, code });
  });

  it('says which field is unknown, as Go does', async () => {
    const { message } = refusalIn(await send('POST', 'keys', key({ shoeSize: 44 })));
    expect(message).toMatch(/^Invalid body data was passed.*: json: unknown field "shoeSize"$/);
  });

  it('says where base64 ends, as Go does', async () => {
    const refused = refusalIn(await send('POST', `keys/${root}/actions/wrap`, { body: { plaintext: 'AAA*' } }));
    expect(refused).toEqual({
      status: 400,
      code: 'INVALID_FIELD_ERR',
      message: 'The field `plaintext` must be: a base64 encoded key material: illegal base64 data at input byte 3',
      target: { type: 'field', name: 'plaintext' },
    });
    const { target, code } = refusalIn(
      await send('POST', `keys/${root}/actions/unwrap`, { body: { ciphertext: 'not base64' } }),
    );
    expect([code, target]).toEqual(['INVALID_FIELD_ERR', { type: 'field', name: 'ciphertext' }]);
  });

  it('wraps no more than unwrap can take back', async () => {
    const plaintext = (bytes: number) => Buffer.alloc(bytes, 7).toString('base64');
    const aad = Array(255).fill('a'.repeat(255));
    const wrapped = await send('POST', `keys/${root}/actions/wrap`, { body: { plaintext: plaintext(1 << 18), aad } });
    const body = { ciphertext: wrapped.body.ciphertext, aad };
    expect((await send('POST', `keys/${root}/actions/unwrap`, { body })).body.plaintext).toBe(plaintext(1 << 18));
    const more = await send('POST', `keys/${root}/actions/wrap`, { body: { plaintext: plaintext((1 << 18) + 1) } });
    expect(refusalIn(more)).toMatchObject({ status: 400, code: 'INVALID_FIELD_ERR', target: { name: 'plaintext' } });
  });

  it('takes an empty plaintext for none, as Go does', async () => {
    const { status, body } = await send('POST', `keys/${root}/actions/wrap`, { body: { plaintext: '' } });
    expect([status, Buffer.from(body.plaintext, 'base64').length]).toEqual([200, 32]);
  });

  it('points at the query parameter', async () => {
    expect(refusalIn(await send('GET', 'keys?limit=0'))).toMatchObject({
      message: expect.stringContaining('an integer between 1 and 5000 (inclusive)'),
      target: { type: 'query_param', name: 'limit' },
    });
  });
});

describe('what may not be asked', () => {
  it('without a good token is a 401 without reasons, whatever else is wrong', async () => {
    for (const authorization of ['', 'Bearer nonsense', 'Basic Yng6Yng=']) {
      const { status, body } = await send('POST', 'keys', { body: 'nonsense', headers: { authorization } });
      expect([status, body.resources[0].reasons]).toEqual([401, undefined]);
    }
  });

  it('by a role without the right is a 401 without reasons, before the body is looked at', async () => {
    const apiKey = await w.apiKeyWith('Reader');
    for (const path of ['keys', 'keys_with_policy_overrides', 'import_token', `keys/${root}/actions/rotate`]) {
      const { status, body } = await send('POST', path, { body: '{"x":', apiKey });
      const errorMsg = 'Unauthorized: The user does not have access to the specified resource';
      expect([path, status, body.resources]).toEqual([path, 401, [{ errorMsg }]]);
    }
    expect((await send('GET', `keys/${root}/metadata`, { apiKey })).status).toBe(200);
    expect((await send('GET', `keys/${standard}`, { apiKey })).status).toBe(401);
    const readerPlus = await w.apiKeyWith('ReaderPlus');
    expect((await send('GET', `keys/${standard}`, { apiKey: readerPlus })).status).toBe(200);
  });

  it('without the instance is IBM’s sentence', async () => {
    const { status, body } = await send('GET', 'keys', { headers: { 'bluemix-instance': 'not-a-uuid' } });
    expect(status).toBe(400);
    expect(body.resources[0].errorMsg).toBe(
      'Bad Request: Request requires valid Bluemix-Instance Header containing a valid UUID',
    );
  });
});

describe('what does not go', () => {
  const unknown = '0f6a9e1c-3c5f-4b0a-9d2e-0d3c5f1b7a10';
  const cases: Case[] = [
    ['a key that is not there', 404, 'KEY_NOT_FOUND_ERR', () => send('GET', `keys/${unknown}`)],
    ['an alias that is not there', 404, 'KEY_NOT_FOUND_ERR', () => send('GET', 'keys/no-such-alias/metadata')],
    [
      'a key in another ring',
      404,
      'KEY_NOT_FOUND_ERR',
      () => send('GET', `keys/${root}`, { headers: { 'x-kms-key-ring': 'elsewhere' } }),
    ],
    [
      'a ring that is not there',
      404,
      'KEY_RING_NOT_FOUND_ERR',
      () => send('POST', 'keys', { ...key({}), headers: { 'x-kms-key-ring': 'elsewhere' } }),
    ],
    ['a ring removed that is not there', 404, 'KEY_RING_NOT_FOUND_ERR', () => send('DELETE', 'key_rings/elsewhere')],
    ['a standard key that wraps', 400, 'KEY_ROOT_REQ_ERR', () => send('POST', `keys/${standard}/actions/wrap`)],
    ['rotating without material', 400, 'KEY_PAYLOAD_REQ_ERR', () => send('POST', `keys/${imported}/actions/rotate`)],
    ['enabling an active key', 409, 'KEY_ACTION_INVALID_STATE_ERR', () => send('POST', `keys/${root}/actions/enable`)],
    ['restoring an active key', 409, 'KEY_ACTION_INVALID_STATE_ERR', () => send('POST', `keys/${root}/restore`)],
    [
      'a deletion set without policy',
      409,
      'NOT_DUAL_AUTH_ERR',
      () => send('POST', `keys/${root}/actions/setKeyForDeletion`),
    ],
    ['a token that never was', 409, 'IMPORT_TOKEN_EXPIRED_ERR', () => send('GET', 'import_token')],
    [
      'a query that names another policy',
      400,
      'BODY_QUERY_PARAM_MISMATCH_ERR',
      () =>
        send('PUT', 'instance/policies?policy=metrics', {
          body: policyCollection({ policy_type: 'dualAuthDelete', policy_data: { enabled: false } }),
        }),
    ],
    [
      'two policies for one query',
      400,
      'NUM_COLLECTION_RESOURCE_ERR',
      () => {
        const policy = { policy_type: 'metrics', policy_data: { enabled: false } };
        return send('PUT', 'instance/policies?policy=metrics', { body: policyCollection(policy, policy) });
      },
    ],
    [
      'an attribute of another policy',
      400,
      'BAD_BODY_ERR',
      () =>
        send('PUT', 'instance/policies', {
          body: policyCollection({
            policy_type: 'dualAuthDelete',
            policy_data: { enabled: true, attributes: { interval_month: 3 } },
          }),
        }),
    ],
    ['KMIP', 403, 'FEATURE_RESTRICTED_ERR', () => send('GET', 'kmip_adapters')],
    ['a KMIP object', 403, 'FEATURE_RESTRICTED_ERR', () => send('GET', 'kmip_adapters/a/kmip_objects/b')],
    ['a migration intent', 403, 'FEATURE_RESTRICTED_ERR', () => send('POST', `keys/${root}/migrationIntent`)],
    ['governance', 403, 'FEATURE_RESTRICTED_ERR', () => w.send('GET', '/governance/v1/configs')],
    ['what services do', 403, 'SERVICE_ONLY_ERR', () => send('POST', `keys/${root}/registrations/crn%3Av1`)],
    ['what is not there', 404, 'NOT_FOUND_ERR', () => send('GET', 'shoes')],
    ['an action that is none', 400, 'INVALID_QUERY_PARAM_ERR', () => send('POST', `keys/${root}?action=fly`)],
    ['too large a body', 413, 'BODY_TOO_LARGE_ERR', () => announce((1 << 20) + 1)],
  ];
  it.each(cases)('%s: %i %s', async (_title, status, code, ask) => {
    expect(refusalIn(await ask())).toMatchObject({ status, code });
  });

  it('a name that is taken', async () => {
    expect((await send('POST', `keys/${root}/aliases/taken`)).status).toBe(201);
    const again = await send('POST', `keys/${imported}/aliases/taken`);
    expect(refusalIn(again)).toMatchObject({ status: 409, code: 'KEY_ALIAS_NOT_UNIQUE_ERR' });
  });

  it('a second rotation within the hour', async () => {
    const { id } = await w.create();
    expect((await send('POST', `keys/${id}/actions/rotate`)).status).toBe(204);
    const again = await send('POST', `keys/${id}/actions/rotate`);
    expect(refusalIn(again)).toMatchObject({ status: 409, code: 'KEY_ROTATION_NOT_PERMITTED' });
  });

  it('what a deleted and a purged key cannot', async () => {
    const { id } = await w.create();
    expect((await send('DELETE', `keys/${id}`)).status).toBe(204);
    expect(refusalIn(await send('DELETE', `keys/${id}`))).toMatchObject({ status: 410, code: 'KEY_DELETED_ERR' });
    const wrap = await send('POST', `keys/${id}/actions/wrap`);
    expect(refusalIn(wrap)).toMatchObject({ status: 409, code: 'KEY_ACTION_INVALID_STATE_ERR' });
    expect(refusalIn(await send('POST', `keys/${id}/restore`)).code).toBe('REQ_TOO_EARLY_ERR');
    expect((await send('DELETE', `keys/${id}/purge`)).status).toBe(401);
    const apiKey = await w.apiKeyWith('KeyPurge');
    const headers = { prefer: 'return=representation' };
    const purged = await send('DELETE', `keys/${id}/purge`, { apiKey, headers });
    expect([purged.status, purged.body.resources[0].id]).toEqual([200, id]);
    expect(refusalIn(await send('GET', `keys/${id}`))).toMatchObject({ status: 404, code: 'KEY_NOT_FOUND_ERR' });
  });

  it('a deletion that needs two', async () => {
    const { id } = await w.create();
    const dual = { body: policyCollection({ dualAuthDelete: { enabled: true } }) };
    expect((await send('PUT', `keys/${id}/policies`, dual)).status).toBe(200);
    const refused = { status: 409, code: 'AUTHORIZATIONS_NOT_MET' };
    expect(refusalIn(await send('DELETE', `keys/${id}`))).toMatchObject(refused);
    expect((await send('POST', `keys/${id}/actions/setKeyForDeletion`)).status).toBe(204);
    const { body } = await send('GET', `keys/${id}/metadata`);
    expect(body.resources[0].dualAuthDelete).toMatchObject({ enabled: true, keySetForDeletion: true });
    expect(refusalIn(await send('DELETE', `keys/${id}`))).toMatchObject(refused);
    const apiKey = await w.apiKeyWith('Manager');
    expect((await send('DELETE', `keys/${id}`, { apiKey })).status).toBe(204);
  });

  it('a ring with keys', async () => {
    expect((await send('POST', 'key_rings/full')).status).toBe(201);
    const headers = { 'x-kms-key-ring': 'full' };
    const { id } = await w.create({}, headers);
    const empty = await send('DELETE', 'key_rings/full');
    expect(refusalIn(empty)).toMatchObject({ status: 409, code: 'KEY_RING_NOT_EMPTY_ERR' });
    const forced = await send('DELETE', 'key_rings/full?force=true');
    expect(refusalIn(forced)).toMatchObject({ status: 409, code: 'KEY_RING_KEYS_NOT_DELETED_ERR' });
    await send('DELETE', `keys/${id}`, { headers });
    expect((await send('DELETE', 'key_rings/full?force=true')).status).toBe(204);
  });

  it('what a policy of the instance forbids', async () => {
    const policy = (enabled: boolean) => ({
      body: policyCollection({
        policy_type: 'keyCreateImportAccess',
        policy_data: enabled ? { enabled, attributes: { create_root_key: false, enforce_token: true } } : { enabled },
      }),
    });
    expect((await send('PUT', 'instance/policies', policy(true))).status).toBe(204);
    const refused = { status: 409, code: 'KEY_CREATE_IMPORT_ACCESS_ERR' };
    expect(refusalIn(await send('POST', 'keys', key({})))).toMatchObject(refused);
    const payload = randomBytes(16).toString('base64');
    expect(refusalIn(await send('POST', 'keys', key({ payload })))).toMatchObject(refused);
    expect((await send('PUT', 'instance/policies', policy(false))).status).toBe(204);
    expect((await send('POST', 'keys', key({}))).status).toBe(201);
  });

  it('imports that do not open: one answer, and after ten of them the token is gone', async () => {
    expect((await send('POST', 'import_token')).status).toBe(200);
    const fake = key({
      payload: randomBytes(512).toString('base64'),
      encryptedNonce: randomBytes(28).toString('base64'),
      iv: randomBytes(12).toString('base64'),
      encryptionAlgorithm: 'RSAES_OAEP_SHA_256',
    });
    for (let failures = 0; failures < 10; failures += 1) {
      expect(refusalIn(await send('POST', 'keys', fake))).toMatchObject({
        status: 400,
        code: 'INCORRECT_NONCE_IV_ERR',
      });
    }
    expect(refusalIn(await send('POST', 'keys', fake))).toMatchObject({
      status: 409,
      code: 'IMPORT_TOKEN_EXPIRED_ERR',
    });
  }, 120_000);
});

describe('while no unit serves', () => {
  it('says so before everything but authentication, and of which units to those who may use them', async () => {
    const cold = await World.withInstance(2);
    try {
      const ask = async (headers: Record<string, string>, body?: string) => {
        const path = '/api/v2/keys';
        const { status, text } = await cold.api('POST', path, body, headers);
        expect(violationsOf({ method: 'POST', path, status, text })).toEqual([]);
        return { status, errorMsg: JSON.parse(text).resources[0].errorMsg as string };
      };
      const sentence = 'no healthy upstream: no crypto units are in kms-initialized state at this time';
      for (const headers of [{ 'bluemix-instance': cold.instance }, {}, { 'bluemix-instance': 'nonsense' }]) {
        const { status, errorMsg } = await ask(headers, 'nonsense');
        expect([status, errorMsg]).toEqual([503, expect.stringContaining(sentence)]);
      }
      expect((await ask({ authorization: 'Bearer nonsense' })).status).toBe(401);

      const named = (await cold.units()).map(({ id }) => `; crypto unit ${id}: reserved`).join('');
      const { Reader, Writer } = await callersOf(cold);
      const header = { 'bluemix-instance': cold.instance };
      const told = async (headers: Record<string, string>) => (await ask(headers, 'nonsense')).errorMsg;
      expect(await told({ ...header, ...Writer })).toContain(`${sentence}${named}; next: kp crypto-units`);
      expect(await told({ ...header, ...Reader })).toContain(`${sentence}; next: kp crypto-units`);
      expect(await told(Writer)).toContain(`${sentence}; next: kp crypto-units`);
    } finally {
      await cold.end();
    }
  }, 60_000);
});
