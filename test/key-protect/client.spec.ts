import { createCipheriv, createHash, publicEncrypt, randomBytes } from 'node:crypto';
import auth from '@ibm-cloud/ibm-key-protect/auth/index.js';
import KeyProtectV2 from '@ibm-cloud/ibm-key-protect/ibm-key-protect-api/v2.js';
import { until } from '../until.js';
import { KEY_TYPE, KeyProtectWorld, keyCollection, policyCollection } from './key-protect-world.js';

/** The client as npm has it, with its own way to get a token; nothing of it is changed. */
let w: KeyProtectWorld;
// biome-ignore lint/suspicious/noExplicitAny: the client's types say less than its answers hold
let client: any;
let bluemixInstance: string;
const plaintext = randomBytes(32).toString('base64');

beforeAll(async () => {
  w = await KeyProtectWorld.start();
  bluemixInstance = w.instance;
  const Client = (KeyProtectV2 as unknown as { default?: typeof KeyProtectV2 }).default ?? KeyProtectV2;
  const authenticator = new auth.IamAuthenticator({ apikey: w.world.apiKey, url: w.url });
  client = new Client({ authenticator, serviceUrl: w.url });
}, 180_000);
afterAll(() => w?.end(), 30_000);
afterEach(() => expect(w.proxy.violations).toEqual([]));

async function makeKey(resource: object = {}) {
  const body = keyCollection({ type: KEY_TYPE, name: 'nodejsKey', extractable: false, ...resource });
  const made = await client.createKey({ bluemixInstance, body, prefer: 'return=representation' });
  expect(made.status).toBe(201);
  return made.result.resources[0];
}

async function refusal(asked: Promise<unknown>): Promise<{ status: number; body: string; message: string }> {
  return asked.then(
    () => {
      throw new Error('it was not refused');
    },
    (cause) => cause,
  );
}

describe('import tokens', () => {
  it('1: are made with the limits asked for, and retrieved with payload and nonce', async () => {
    const made = await client.postImportToken({ bluemixInstance, expiration: 80_000, maxAllowedRetrievals: 30 });
    expect([made.status, made.result.maxAllowedRetrievals]).toEqual([200, 30]);
    expect(made.result.payload).toBeUndefined();
    const got = await client.getImportToken({ bluemixInstance });
    expect([got.status, got.result.maxAllowedRetrievals]).toEqual([200, 30]);
    expect(Buffer.from(got.result.payload, 'base64').toString()).toMatch(/^-----BEGIN PUBLIC KEY-----\n/);
    expect(Buffer.from(got.result.nonce, 'base64')).toHaveLength(12);
    const lives = Date.parse(got.result.expirationDate) - Date.parse(got.result.creationDate);
    expect(lives).toBe(80_000_000);
  }, 120_000);

  it('2: count their retrievals down', async () => {
    const made = await client.postImportToken({ bluemixInstance, expiration: 86_400, maxAllowedRetrievals: 50 });
    expect(made.result.remainingRetrievals).toBe(50);
    const got = await client.getImportToken({ bluemixInstance });
    expect(got.result.remainingRetrievals).toBe(49);
  }, 120_000);

  it('authorise the import and the rotation of an encrypted key', async () => {
    await client.postImportToken({ bluemixInstance });
    const { payload, nonce } = (await client.getImportToken({ bluemixInstance })).result;
    const key = await makeKey(encrypted(payload, nonce, 32));
    expect(key).toMatchObject({ imported: true, state: 1, extractable: false });
    const rotated = await client.rotateKey({
      bluemixInstance,
      id: key.id,
      keyActionRotateBody: encrypted(payload, nonce, 16),
    });
    expect(rotated.status).toBe(204);
    const again = await refusal(client.getImportToken({ bluemixInstance }));
    expect(again.status).toBe(409);
    expect(again.body).toContain('IMPORT_TOKEN_EXPIRED_ERR');
  }, 120_000);
});

/** What a client sends to import a fresh key by the token. */
function encrypted(payload: string, nonce: string, bytes: 16 | 24 | 32) {
  const key = randomBytes(bytes);
  const iv = randomBytes(12);
  const cipher = createCipheriv(`aes-${bytes * 8}-gcm` as 'aes-256-gcm', key, iv);
  const sealed = [cipher.update(Buffer.from(nonce, 'base64')), cipher.final(), cipher.getAuthTag()];
  const pem = Buffer.from(payload, 'base64').toString();
  return {
    payload: publicEncrypt({ key: pem, oaepHash: 'sha256' }, key).toString('base64'),
    encryptedNonce: Buffer.concat(sealed).toString('base64'),
    iv: iv.toString('base64'),
    encryptionAlgorithm: 'RSAES_OAEP_SHA_256',
  };
}

describe('keys', () => {
  it('3: are counted by HEAD', async () => {
    const before = await client.getKeyCollectionMetadata({ bluemixInstance });
    await makeKey();
    const after = await client.getKeyCollectionMetadata({ bluemixInstance });
    expect(after.status).toBe(200);
    expect(Number(after.headers['key-total'])).toBe(Number(before.headers['key-total']) + 1);
  });

  it('4: are imported with 16 bytes and rotated with 32', async () => {
    const { id } = await makeKey({ payload: randomBytes(16).toString('base64') });
    const keyActionRotateBody = { payload: randomBytes(32).toString('base64') };
    expect((await client.rotateKey({ bluemixInstance, id, keyActionRotateBody })).status).toBe(204);
  });

  it('5: wrap, unwrap and rewrap', async () => {
    const { id } = await makeKey();
    const aad = ['one', 'two'];
    const wrapped = await client.wrapKey({ bluemixInstance, id, keyActionWrapBody: { plaintext, aad } });
    expect(wrapped.status).toBe(200);
    expect(wrapped.result.plaintext).toBeUndefined();
    const { ciphertext } = wrapped.result;
    const unwrapped = await client.unwrapKey({ bluemixInstance, id, keyActionUnwrapBody: { ciphertext, aad } });
    expect(unwrapped.result).toEqual({ plaintext, keyVersion: { id } });
    const rewrapped = await client.rewrapKey({ bluemixInstance, id, keyActionRewrapBody: { ciphertext, aad } });
    expect(rewrapped.result).toMatchObject({ keyVersion: { id }, rewrappedKeyVersion: { id } });
    const generated = await client.wrapKey({ bluemixInstance, id, keyActionWrapBody: {} });
    expect(Buffer.from(generated.result.plaintext, 'base64')).toHaveLength(32);
  });

  it('6: have two versions after a rotation, and unwrap gives a new ciphertext', async () => {
    const { id } = await makeKey();
    const keyActionWrapBody = { plaintext };
    const { ciphertext } = (await client.wrapKey({ bluemixInstance, id, keyActionWrapBody })).result;
    expect((await client.rotateKey({ bluemixInstance, id, keyActionRotateBody: {} })).status).toBe(204);
    const { metadata, resources } = (await client.getKeyVersions({ bluemixInstance, id })).result;
    expect(metadata).toMatchObject({ collectionTotal: 2 });
    expect(resources[0].id).not.toBe(resources[1].id);
    expect(resources[1].id).toBe(id);
    const unwrapped = await client.unwrapKey({ bluemixInstance, id, keyActionUnwrapBody: { ciphertext } });
    const rewrappedKeyVersion = { id: resources[0].id };
    expect(unwrapped.result).toMatchObject({ plaintext, keyVersion: { id }, rewrappedKeyVersion });
    const again = { ciphertext: unwrapped.result.ciphertext };
    const second = await client.unwrapKey({ bluemixInstance, id, keyActionUnwrapBody: again });
    expect(second.result).toEqual({ plaintext, keyVersion: rewrappedKeyVersion });
  });

  it('7: have policies', async () => {
    const { id } = await makeKey();
    const setKeyPoliciesOneOf = policyCollection(
      { type: 'application/vnd.ibm.kms.policy+json', rotation: { interval_month: 2 } },
      { type: 'application/vnd.ibm.kms.policy+json', dualAuthDelete: { enabled: false } },
    );
    const set = await client.putPolicy({ bluemixInstance, id, setKeyPoliciesOneOf });
    expect(set.status).toBe(200);
    const { resources } = (await client.getPolicy({ bluemixInstance, id })).result;
    expect(resources).toHaveLength(2);
    expect(resources.find(({ rotation }: { rotation?: object }) => rotation).rotation).toEqual({
      enabled: true,
      interval_month: 2,
    });
  });

  it('8: are disabled, and enabled when the time has come', async () => {
    const { id } = await makeKey();
    expect((await client.disableKey({ bluemixInstance, id })).status).toBe(204);
    expect((await client.getKey({ bluemixInstance, id })).result.resources[0].state).toBe(2);
    const early = await refusal(client.enableKey({ bluemixInstance, id }));
    expect(early.status).toBe(409);
    expect(early.body).toContain('REQ_TOO_EARLY_ERR');
    await until(async () => {
      const enabled = await client.enableKey({ bluemixInstance, id }).catch((cause: unknown) => cause);
      return enabled.status === 204;
    }, 10_000);
    expect((await client.getKeyMetadata({ bluemixInstance, id })).result.resources[0].state).toBe(1);
  });

  it('9, 10, 12: are deleted, wait, and are restored', async () => {
    const { id } = await makeKey();
    const deleted = await client.deleteKey({ bluemixInstance, id, prefer: 'return=representation' });
    expect(deleted.status).toBe(200);
    expect(deleted.result.resources[0]).toMatchObject({ id, state: 5, deleted: true, purgeAllowed: false });
    const sync = await refusal(client.syncAssociatedResources({ bluemixInstance, id }));
    expect([sync.status, sync.body]).toEqual([409, expect.stringContaining('REQ_TOO_EARLY_ERR')]);
    const apiKey = await w.apiKeyWith('KeyPurge');
    const purge = await w.send('DELETE', `/api/v2/keys/${id}/purge`, { apiKey });
    expect(purge.status).toBe(409);
    expect(purge.body.resources[0].errorMsg).toContain('REQ_TOO_EARLY_ERR');
    const early = await refusal(client.restoreKey({ bluemixInstance, id }));
    expect(early.status).toBe(409);
    await until(async () => {
      const restored = await client.restoreKey({ bluemixInstance, id }).catch((cause: unknown) => cause);
      return restored.status === 201;
    }, 10_000);
    expect((await client.getKey({ bluemixInstance, id })).result.resources[0].state).toBe(1);
  });

  it('11: are not purged while they are active', async () => {
    const { id } = await makeKey();
    const apiKey = await w.apiKeyWith('KeyPurge');
    const purge = await w.send('DELETE', `/api/v2/keys/${id}/purge`, { apiKey });
    expect(purge.body.resources[0].errorMsg).toContain('KEY_ACTION_INVALID_STATE_ERR');
  });

  it('17: are created without lastUpdateDate and lastRotateDate, which a rotation brings', async () => {
    const made = await makeKey();
    expect(made).not.toHaveProperty('lastUpdateDate');
    expect(made).not.toHaveProperty('lastRotateDate');
    await client.rotateKey({ bluemixInstance, id: made.id, keyActionRotateBody: {} });
    const [got] = (await client.getKey({ bluemixInstance, id: made.id })).result.resources;
    expect(got.lastUpdateDate).toMatch(/Z$/);
    expect(got.lastRotateDate).toMatch(/Z$/);
  });

  it('18: of the standard kind have a payload, and do not wrap', async () => {
    const payload = randomBytes(100).toString('base64');
    const { id } = await makeKey({ extractable: true, payload });
    const [got] = (await client.getKey({ bluemixInstance, id })).result.resources;
    expect(got).toMatchObject({ payload, deleted: false, extractable: true });
    const [metadata] = (await client.getKeyMetadata({ bluemixInstance, id })).result.resources;
    expect(metadata).not.toHaveProperty('payload');
    const wrap = await refusal(client.wrapKey({ bluemixInstance, id, keyActionWrapBody: {} }));
    expect([wrap.status, wrap.body]).toEqual([400, expect.stringContaining('KEY_ROOT_REQ_ERR')]);
    const keyActionUnwrapBody = { ciphertext: Buffer.from('{}').toString('base64') };
    expect((await refusal(client.unwrapKey({ bluemixInstance, id, keyActionUnwrapBody }))).status).toBe(400);
  });

  it('are listed, searched and read by alias', async () => {
    const alias = `alias-${createHash('sha256').update(plaintext).digest('hex').slice(0, 12)}`;
    const { id } = await makeKey({
      name: 'needle in a stack',
      aliases: [alias],
      tags: ['one'],
      description: 'some key',
    });
    const listed = await client.getKeys({ bluemixInstance, limit: 5000, offset: 0, state: [0, 1, 2, 3] });
    expect(listed.result.resources.map((key: { id: string }) => key.id)).toContain(id);
    expect(listed.result.metadata.collectionTotal).toBe(listed.result.resources.length);
    const found = await w.send('GET', '/api/v2/keys?search=NEEDLE');
    expect(found.body.resources.map((key: { id: string }) => key.id)).toEqual([id]);
    expect((await client.getKey({ bluemixInstance, id: alias })).result.resources[0].id).toBe(id);
  });
});

describe('policies', () => {
  it('13: of the instance are set and listed as they were set', async () => {
    const put = (setInstancePoliciesOneOf: object) =>
      client.putInstancePolicy({ bluemixInstance, setInstancePoliciesOneOf });
    const attributes = {
      create_root_key: true,
      create_standard_key: true,
      import_root_key: true,
      import_standard_key: true,
      enforce_token: false,
    };
    const kcia = { policy_type: 'keyCreateImportAccess', policy_data: { enabled: true, attributes } };
    const dualAuth = { policy_type: 'dualAuthDelete', policy_data: { enabled: false } };
    expect((await put(policyCollection(kcia))).status).toBe(204);
    expect((await put(policyCollection(dualAuth))).status).toBe(204);
    const { resources } = (await client.getInstancePolicy({ bluemixInstance })).result;
    const types = resources.map((policy: { policy_type: string }) => policy.policy_type).sort();
    expect(types).toEqual(['dualAuthDelete', 'keyCreateImportAccess']);
    const shown = resources.find((policy: { policy_type: string }) => policy.policy_type === 'keyCreateImportAccess');
    expect(shown.policy_data).toEqual({ enabled: true, attributes });
    const ports = await client.getAllowedIpPort({ bluemixInstance });
    expect(ports.result).toMatchObject({ metadata: { collectionTotal: 0 }, resources: [] });
  });

  it('19: rotation of the instance holds for new generated keys, unless they bring their own or none', async () => {
    const rotation = (enabled: boolean) =>
      policyCollection({
        policy_type: 'rotation',
        policy_data: enabled ? { enabled, attributes: { interval_month: 5 } } : { enabled },
      });
    const policyOf = async (id: string) => (await client.getPolicy({ bluemixInstance, id })).result.resources;
    const overrides = async (more: object) => {
      const body = keyCollection({ name: 'overriding', extractable: false, ...more });
      const made = await w.send('POST', '/api/v2/keys_with_policy_overrides', { body });
      expect(made.status).toBe(201);
      return policyOf(made.body.resources[0].id);
    };
    await client.putInstancePolicy({ bluemixInstance, setInstancePoliciesOneOf: rotation(true) });
    try {
      expect((await policyOf((await makeKey()).id))[0].rotation.interval_month).toBe(5);
      expect((await overrides({ rotation: { enabled: true, interval_month: 3 } }))[0].rotation.interval_month).toBe(3);
      expect(await overrides({})).toEqual([]);
    } finally {
      await client.putInstancePolicy({ bluemixInstance, setInstancePoliciesOneOf: rotation(false) });
    }
    expect(await policyOf((await makeKey()).id)).toEqual([]);
  });

  it('20: keep their interval while they are disabled', async () => {
    const { id } = await makeKey();
    const put = (rotation: object) =>
      client.putPolicy({
        bluemixInstance,
        id,
        policy: 'rotation',
        setKeyPoliciesOneOf: policyCollection({ type: 'application/vnd.ibm.kms.policy+json', rotation }),
      });
    await put({ enabled: false, interval_month: 3 });
    const enabled = await put({ enabled: true });
    expect(enabled.result.resources[0].rotation).toEqual({ enabled: true, interval_month: 3 });
  });
});

describe('aliases, rings and registrations', () => {
  it('14: an alias is created, stands for the id, and is deleted', async () => {
    const { id } = await makeKey();
    const alias = 'Node_alias-1';
    const made = await client.createKeyAlias({ bluemixInstance, id, alias });
    expect(made.status).toBe(201);
    expect(made.result.resources[0]).toMatchObject({ keyId: id, alias });
    const [got] = (await client.getKey({ bluemixInstance, id: alias })).result.resources;
    expect(got).toMatchObject({ id, aliases: [alias] });
    expect((await client.deleteKeyAlias({ bluemixInstance, id, alias })).status).toBe(204);
    expect((await refusal(client.getKey({ bluemixInstance, id: alias }))).status).toBe(404);
  });

  it('15: a ring is created, listed, holds a key for a while, and is deleted', async () => {
    const keyRingId = 'testRing-Mixed';
    expect((await client.createKeyRing({ bluemixInstance, keyRingId })).status).toBe(201);
    const { resources } = (await client.listKeyRings({ bluemixInstance })).result;
    expect(resources.map((ring: { id: string }) => ring.id)).toEqual(expect.arrayContaining(['default', keyRingId]));
    const { id } = await makeKey();
    const move = (from: string, keyRingID: string) =>
      w.send('PATCH', `/api/v2/keys/${id}`, { body: { keyRingID }, headers: { 'x-kms-key-ring': from } });
    const moved = await move('default', keyRingId);
    expect([moved.status, moved.body.resources[0].keyRingID]).toEqual([200, keyRingId]);
    const back = await move(keyRingId, 'default');
    expect([back.status, back.body.resources[0].keyRingID]).toEqual([200, 'default']);
    expect((await client.deleteKeyRing({ bluemixInstance, keyRingId })).status).toBe(204);
  });

  it('16: registrations are readable, for a key and for all', async () => {
    const { id } = await makeKey();
    const ofKey = await client.getRegistrations({ bluemixInstance, id });
    expect(ofKey.result).toMatchObject({ metadata: { collectionTotal: 0 }, resources: [] });
    const urlEncodedResourceCrnQuery = encodeURIComponent('crn:v1:bluemix:public:*:*:*:*:*:*');
    const all = await client.getRegistrationsAllKeys({ bluemixInstance, urlEncodedResourceCrnQuery });
    expect(all.status).toBe(200);
  });
});
