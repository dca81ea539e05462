import { createHash, randomBytes } from 'node:crypto';
import { OPERATIONS } from '../../src/dialects/huawei-kms/operations.js';
import { linesOfRequests } from '../audit/lines-of-requests.js';
import { until } from '../until.js';
import { HuaweiWorld } from './huawei-world.js';
import { importBody, parametersFor } from './material.js';

let w: HuaweiWorld;
beforeAll(async () => {
  w = await HuaweiWorld.start({ KEYSTEAD_TIMER_DELETION_DAY_MS: '200', KEYSTEAD_TIMER_IMPORT_PARAMETERS_MS: '1' });
}, 180_000);
afterAll(() => w?.end(), 30_000);

describe('keys', () => {
  it('are disabled and enabled at once, and disabled after a deletion that was cancelled', async () => {
    const keyId = await w.newCmk();
    const switched = (state: string) => ({ key_info: { key_id: keyId, key_state: state } });
    expect(await w.ok('disable-key', { key_id: keyId })).toEqual(switched('3'));
    expect(await w.ok('enable-key', { key_id: keyId })).toEqual(switched('2'));
    expect(await w.ok('schedule-key-deletion', { key_id: keyId, pending_days: '366' })).toEqual({
      key_id: keyId,
      key_state: '4',
    });
    expect((await w.ok('describe-key', { key_id: keyId })).key_info.scheduled_deletion_date).toMatch(/^\d{13}$/);
    expect(await w.ok('cancel-key-deletion', { key_id: keyId })).toEqual({ key_id: keyId, key_state: '3' });
  });

  it('are pending import again after a deletion that was cancelled, when they have no material', async () => {
    const keyId = await w.newCmk({ origin: 'external' });
    await w.ok('schedule-key-deletion', { key_id: keyId, pending_days: 366 });
    expect((await w.ok('cancel-key-deletion', { key_id: keyId })).key_state).toBe('5');
  });

  it('are gone when the time of their deletion has come', async () => {
    const keyId = await w.newCmk({ key_alias: 'short-lived' });
    await w.ok('schedule-key-deletion', { key_id: keyId, pending_days: 7 });
    await until(async () => (await w.post('describe-key', { key_id: keyId })).status === 404, 20_000);
    await w.newCmk({ key_alias: 'short-lived' });
  });

  it('are listed by pages, states and kinds', async () => {
    for (let n = 0; n < 3; n += 1) await w.newCmk({ origin: 'external', key_spec: 'EC_P384' });
    const asked = { key_state: '5', key_spec: 'EC_P384' };
    const first = await w.ok('list-keys', { ...asked, limit: '2' });
    expect([first.keys.length, first.truncated, first.next_marker, first.total]).toEqual([2, 'true', '2', 3]);
    const last = await w.ok('list-keys', { ...asked, limit: '2', marker: first.next_marker });
    expect([last.keys.length, last.truncated, last.next_marker, last.total]).toEqual([1, 'false', '', 3]);
    expect(new Set([...first.keys, ...last.keys]).size).toBe(3);
    expect((await w.ok('list-keys', { ...asked, key_state: '2' })).total).toBe(0);
    const all = await w.ok('list-keys', { key_spec: 'ALL' });
    expect(all.total).toBe((await w.ok('list-keys')).total);
  });

  it('get another name, by which they are found, and the one of before is free', async () => {
    const keyId = await w.newCmk({ key_alias: 'name-1' });
    const renamed = await w.ok('update-key-alias', { key_id: keyId, key_alias: 'name-2' });
    expect(renamed).toEqual({ key_info: { key_id: keyId, key_alias: 'name-2' } });
    expect((await w.ok('describe-key', { key_id: 'alias/name-2' })).key_info.key_id).toBe(keyId);
    await w.newCmk({ key_alias: 'name-1' });
    expect(await w.refusal('update-key-alias', { key_id: keyId, key_alias: 'name-1' })).toBe('KMS.1104');
  });

  it('get another description, or none', async () => {
    const keyId = await w.newCmk({ key_description: 'one' });
    for (const key_description of ['two', '']) {
      const changed = await w.ok('update-key-description', { key_id: keyId, key_description });
      expect(changed).toEqual({ key_info: { key_id: keyId, key_description } });
    }
    expect((await w.ok('describe-key', { key_id: keyId })).key_info.key_description).toBe('');
  });
});

describe('data', () => {
  it('opens with the context it was encrypted with, whatever the order, and with no other', async () => {
    const key_id = await w.newCmk();
    const { cipher_text } = await w.ok('encrypt-data', {
      key_id,
      plain_text: 'ö',
      encryption_context: { a: '1', b: '2' },
    });
    const opened = await w.ok('decrypt-data', { cipher_text, encryption_context: { b: '2', a: '1' } });
    expect(opened).toEqual({ key_id, plain_text: 'ö', plain_text_base64: Buffer.from('ö').toString('base64') });
    for (const encryption_context of [undefined, { a: '1' }, { a: '12', b: '' }]) {
      expect(await w.refusal('decrypt-data', { cipher_text, encryption_context })).toBe('KMS.2201');
    }
    const text = await w.ok('encrypt-data', { key_id, plain_text: 'x', additional_authenticated_data: 'aad' });
    const given = { cipher_text: text.cipher_text, additional_authenticated_data: 'aad' };
    expect((await w.ok('decrypt-data', given)).plain_text).toBe('x');
    expect(await w.refusal('decrypt-data', { ...given, additional_authenticated_data: 'dad' })).toBe('KMS.2201');
  });

  it('has the length that the vendor documents', async () => {
    const key_id = await w.newCmk();
    for (const [bytes, characters] of [
      [1, 188],
      [16, 188],
      [17, 208],
      [4096, 5628],
    ] as const) {
      const { cipher_text } = await w.ok('encrypt-data', { key_id, plain_text: 'x'.repeat(bytes) });
      expect(cipher_text).toHaveLength(characters);
    }
  });

  it('keys are made, sealed and opened; data and data keys are two things', async () => {
    const key_id = await w.newCmk();
    const made = await w.ok('create-datakey', { key_id, key_spec: 'AES_128' });
    expect(made.plain_text).toMatch(/^[0-9A-F]{32}$/);
    const opened = await w.ok('decrypt-datakey', { key_id, cipher_text: made.cipher_text.toLowerCase() });
    const bytes = Buffer.from(made.plain_text, 'hex');
    const hash = createHash('sha256').update(bytes).digest('hex').toUpperCase();
    expect(opened).toEqual({ data_key: made.plain_text, datakey_length: '16', datakey_dgst: hash });
    const alone = await w.ok('create-datakey-without-plaintext', { key_id, datakey_length: 512 });
    expect(alone.cipher_text).toHaveLength(376);
    const own = randomBytes(64);
    const plain_text = `${own.toString('hex')} ${createHash('sha256').update(own).digest('hex')}`;
    const sealed = await w.ok('encrypt-datakey', { key_id, plain_text, datakey_plain_length: '64' });
    expect(sealed).toMatchObject({ datakey_length: '64' });
    const again = await w.ok('decrypt-datakey', {
      key_id,
      cipher_text: sealed.cipher_text,
      datakey_cipher_length: '64',
    });
    expect(again.data_key).toBe(own.toString('hex').toUpperCase());
    const asData = Buffer.from(made.cipher_text, 'hex').toString('base64');
    expect(await w.refusal('decrypt-data', { cipher_text: asData })).toBe('KMS.2201');
  });

  it('is random where that is asked for', async () => {
    const one = await w.ok('gen-random', { random_data_length: 512 });
    expect((await w.ok('gen-random', { random_data_length: 512 })).random_data).not.toBe(one.random_data);
  });
});

describe('rotation', () => {
  it('is switched on with an interval, shown, and switched off', async () => {
    const key_id = await w.newCmk();
    const status = (on: boolean, days: number) => ({
      key_rotation_enabled: on,
      rotation_interval: days,
      last_rotation_time: '',
      number_of_rotations: 0,
    });
    expect(await w.ok('get-key-rotation-status', { key_id })).toEqual(status(false, 365));
    await w.ok('enable-key-rotation', { key_id });
    await w.ok('update-key-rotation-interval', { key_id, rotation_interval: '30' });
    expect(await w.ok('get-key-rotation-status', { key_id })).toEqual(status(true, 30));
    expect((await w.ok('describe-key', { key_id })).key_info.key_rotation_enabled).toBe('true');
    await w.ok('disable-key-rotation', { key_id });
    expect((await w.ok('get-key-rotation-status', { key_id })).key_rotation_enabled).toBe(false);
  });
});

describe('tags', () => {
  it('are added, listed, searched for and taken away', async () => {
    const keyId = await w.newCmk({ key_alias: 'tagged' });
    await w.post(`${keyId}/tags`, { tag: { key: 'team', value: 'blue' } });
    const tags = [
      { key: 'stage', value: 'test' },
      { key: 'team', value: 'red' },
    ];
    expect((await w.post(`${keyId}/tags/action`, { action: 'create', tags })).status).toBe(204);
    const shown = (await w.ask('GET', `${keyId}/tags`)).body;
    expect(shown.existTagsNum).toBe(2);
    expect(shown.tags).toEqual(expect.arrayContaining(tags));
    expect((await w.ask('GET', 'tags')).body.tags).toContainEqual({ key: 'team', values: ['red'] });
    const wanted = {
      tags: [{ key: 'team', values: ['red', 'green'] }],
      matches: [{ key: 'resource_name', value: 'tagg' }],
    };
    const found = (await w.post('resource_instances/action', { action: 'filter', limit: '10', offset: '0', ...wanted }))
      .body;
    expect(found).toMatchObject({ total_count: 1, resources: [{ resource_id: keyId, resource_name: 'tagged' }] });
    expect((await w.post('resource_instances/action', { action: 'count', ...wanted })).body).toEqual({
      total_count: 1,
    });
    expect((await w.ask('DELETE', `${keyId}/tags/team`)).status).toBe(204);
    await w.post(`${keyId}/tags/action`, { action: 'delete', tags: [{ key: 'stage' }, { key: 'never' }] });
    expect((await w.ask('GET', `${keyId}/tags`)).body.tags).toEqual([]);
  });
});

describe('grants', () => {
  it('let somebody without a role do what they name with one key, until they are revoked or retired', async () => {
    const nobody = await w.newKeyWithoutRoles();
    const key_id = await w.newCmk();
    expect(await w.refusal('create-datakey', { key_id }, nobody)).toBe('KMS.0307');
    const login = await w.send('/v3/auth/tokens', {
      method: 'POST',
      body: JSON.stringify({
        auth: {
          identity: {
            methods: ['password'],
            password: { user: { name: nobody.accessKeyId, password: nobody.secret } },
          },
        },
      }),
    });
    const userId: string = login.body.token.user.id;
    expect(userId).toMatch(/^[0-9a-f]{32}$/);
    const grant = {
      key_id,
      grantee_principal: userId,
      operations: ['create-datakey', 'describe-key', 'retire-grant'],
      name: 'one',
    };
    const { grant_id } = await w.ok('create-grant', grant);
    await w.ok('create-datakey', { key_id }, nobody);
    await w.ok('describe-key', { key_id }, nobody);
    expect(await w.refusal('encrypt-data', { key_id, plain_text: 'x' }, nobody)).toBe('KMS.0307');
    const { grants, total } = await w.ok('list-grants', { key_id, limit: '10' });
    expect([total, grants[0]]).toEqual([
      1,
      expect.objectContaining({ grant_id, grantee_principal: userId, name: 'one' }),
    ]);
    await w.ok('retire-grant', { key_id, grant_id }, nobody);
    expect(await w.refusal('create-datakey', { key_id }, nobody)).toBe('KMS.0307');
    const second = await w.ok('create-grant', grant);
    await w.ok('describe-key', { key_id }, nobody);
    await w.ok('revoke-grant', { key_id, grant_id: second.grant_id });
    expect(await w.refusal('describe-key', { key_id }, nobody)).toBe('KMS.0307');
  });

  it('are retired by the principal that they name for it, and listed for it', async () => {
    const [grantee, retiring] = [await w.newKeyWithoutRoles(), await w.newKey('Reader')];
    const key_id = await w.newCmk();
    const principals = { grantee_principal: grantee.accessKeyId, retiring_principal: retiring.accessKeyId };
    const { grant_id } = await w.ok('create-grant', { key_id, operations: ['describe-key'], ...principals });
    expect((await w.ok('list-retirable-grants', {}, retiring)).grants).toMatchObject([{ grant_id, key_id }]);
    await w.ok('retire-grant', { key_id, grant_id }, retiring);
    expect((await w.ok('list-retirable-grants', {}, retiring)).total).toBe(0);
  });
});

describe('aliases', () => {
  it('are made, found, moved to another key and deleted; the name of a key stays', async () => {
    const [one, two] = [await w.newCmk({ key_alias: 'first' }), await w.newCmk({ key_alias: 'second' })];
    const made = await w.ok('aliases', { key_id: one, alias: 'alias/extra' });
    expect(made).toMatchObject({ key_id: one, alias: 'alias/extra' });
    expect((await w.ok('describe-key', { key_id: made.alias_urn })).key_info.key_id).toBe(one);
    await w.ok('alias/associate', { target_key_id: two, alias: 'alias/extra' });
    const listed = (await w.ask('GET', `aliases?key_id=${two}&limit=10`)).body;
    expect(listed.aliases.map(({ alias }: { alias: string }) => alias).sort()).toEqual(['alias/extra', 'alias/second']);
    expect(listed.page_info).toEqual({ next_marker: '', current_count: 2 });
    expect((await w.ask('DELETE', 'aliases', { key_id: two, aliases: ['alias/extra'] })).status).toBe(204);
    expect(await w.refusal('describe-key', { key_id: 'alias/extra' })).toBe('KMS.0207');
    const kept = await w.ask('DELETE', 'aliases', { key_id: two, aliases: ['alias/second'] });
    expect(kept.body.error_code).toBe('KMS.1101');
  });
});

it('counts keys and quotas', async () => {
  const before = (await w.ask('GET', 'user-instances')).body.instance_num;
  await w.newCmk();
  expect((await w.ask('GET', 'user-instances')).body).toEqual({ instance_num: before + 1 });
  const { resources } = (await w.ask('GET', 'user-quotas')).body.quotas;
  expect(resources).toMatchObject([{ type: 'CMK', used: before + 1 }, { type: 'grant_per_CMK' }]);
});

it('ends import parameters when their time is over', async () => {
  const keyId = await w.newCmk({ origin: 'external' });
  const given = await parametersFor(w, keyId);
  expect(await w.refusal('import-key-material', importBody(keyId, given, randomBytes(32)))).toBe('KMS.2601');
});

/** What this API asks in one request is two acts of the key model, each with its line; an alias that moves changes two keys. */
const TWO_ACTS = [
  'DELETE aliases',
  'POST alias/associate',
  'POST disable-key-rotation',
  'POST enable-key-rotation',
  'POST get-key-rotation-status',
  'POST import-key-material',
  'POST update-key-alias',
  'POST update-key-rotation-interval',
];
/** Other specs ask for these. */
const ELSEWHERE = ['POST sign', 'POST verify', 'POST get-publickey', 'POST delete-imported-key-material'];

it('a request is one line in the audit log, whatever came of it, and no use of a key is more', async () => {
  const { paths, several } = await linesOfRequests(w.world);
  const at = (operation: string) => operation.replace(' ', ' /v1.0/:project/kms/');
  const lines = (operation: string) => (operation === 'POST alias/associate' ? 3 : 2);
  expect(several).toEqual(Object.fromEntries(TWO_ACTS.map((operation) => [at(operation), lines(operation)])));
  const all = OPERATIONS.map(({ method, path }) => `${method} ${path}`);
  expect(all.filter((path) => !paths.includes(path)).sort()).toEqual(ELSEWHERE.map(at).sort());
});
