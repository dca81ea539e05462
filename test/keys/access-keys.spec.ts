import { AccessKeys } from '../../src/access-keys/access-keys.js';
import { AccessNonces } from '../../src/access-keys/access-nonces.js';
import { EncryptData } from '../../src/keys/encrypt-data.command.js';
import { ListKeys } from '../../src/keys/list-keys.query.js';
import { Model } from './model.js';

/** Access keys of clients that sign: made by the API and by kp, found by the server, and never readable again. */
let model: Model;
beforeAll(async () => {
  model = await Model.start();
}, 120_000);
afterAll(() => model?.end());

const make = async (input: object = {}) => {
  const body = { dialect: 'alibaba', instanceId: model.at.instance, name: 'client', ...input };
  const { status, body: made, text } = await model.at.world.api('POST', '/api/v1/access-keys', body);
  if (status !== 201) throw new Error(text);
  return made;
};
const find = (id: string, dialect: 'alibaba' | 'huawei' = 'alibaba') => model.get(AccessKeys).find(id, dialect);

it('an access key is found with its secret, and manages its instance and no other', async () => {
  const { accessKeyId, accessKeySecret } = await make();
  const found = await find(accessKeyId);
  expect(found).toMatchObject({
    instanceId: model.at.instance,
    caller: {
      id: accessKeyId,
      name: 'client',
      roles: [],
      scopes: [{ role: 'Manager', instanceId: model.at.instance }],
    },
  });
  expect(found?.secret.toString()).toBe(accessKeySecret);
  expect((await find(accessKeyId))?.secret.toString()).toBe(accessKeySecret);
  expect(await find(accessKeyId, 'huawei')).toBeNull();
  expect(await find('LTAIaaaaaaaaaaaaaaaaaaaa')).toBeNull();
  const caller = found?.caller;
  if (caller === undefined) throw new Error('not found');
  await expect(model.ask(new ListKeys(caller, { instanceId: model.at.instance }), caller)).resolves.toMatchObject({
    total: 0,
  });
  const elsewhere = '6e0aead3-9d44-4c92-a4c4-f7a1ab415420';
  await expect(model.ask(new ListKeys(caller, { instanceId: elsewhere }), caller)).rejects.toMatchObject({
    code: 'FORBIDDEN',
  });
});

it('the secret stands in no column of the database in clear', async () => {
  const { accessKeyId, accessKeySecret } = await make({ dialect: 'huawei' });
  const { rows } = await model.at.db.query(`SELECT * FROM "access_keys" WHERE "id" = $1`, [accessKeyId]);
  expect(rows).toHaveLength(1);
  for (const value of Object.values(rows[0])) {
    const text = Buffer.isBuffer(value) ? value.toString('latin1') : JSON.stringify(value);
    expect(text).not.toContain(accessKeySecret);
  }
  const shown = await model.at.world.api('GET', '/api/v1/access-keys');
  expect(shown.text).toContain(accessKeyId);
  expect(shown.text).not.toContain(accessKeySecret);
});

it('one whose roles were changed in the database is refused', async () => {
  const { accessKeyId } = await make({ roles: ['Reader'] });
  await model.at.db.query(`UPDATE "access_keys" SET "roles" = '{Manager}' WHERE "id" = $1`, [accessKeyId]);
  await expect(find(accessKeyId)).rejects.toMatchObject({ code: 'KEY_ROW_INVALID' });
});

it('a revoked one is unknown from the next request on, an expired one too', async () => {
  const { accessKeyId } = await make();
  expect(await find(accessKeyId)).not.toBeNull();
  const revoked = await model.at.world.api('DELETE', `/api/v1/access-keys/${accessKeyId}`);
  expect(revoked.body.revokedAt).toEqual(expect.any(String));
  expect(await find(accessKeyId)).toBeNull();
  expect((await model.at.world.api('DELETE', '/api/v1/access-keys/LTAInone')).status).toBe(404);
  const expiresAt = new Date(Date.now() + 1_500);
  const short = await make({ expiresAt: expiresAt.toISOString() });
  expect(await find(short.accessKeyId)).not.toBeNull();
  await model.at.untilRow(`SELECT 1 FROM "access_keys" WHERE "id" = $1 AND "expiresAt" < now()`, short.accessKeyId);
  expect(await find(short.accessKeyId)).toBeNull();
});

it('one without roles may do nothing but what grants let it', async () => {
  const { accessKeyId } = await make({ roles: [], scopes: [] });
  const found = await find(accessKeyId);
  if (found === null) throw new Error('not found');
  const key = await model.at.key();
  const context = { dialect: 'spec', context: [], plaintext: Buffer.from('x') };
  const encrypt = new EncryptData(found.caller, model.target(key), context);
  await expect(model.ask(encrypt, found.caller)).rejects.toMatchObject({ code: 'FORBIDDEN' });
});

it('only who manages everything makes access keys', async () => {
  const { apiKey } = await model.at.apiKey([], [{ role: 'Manager', instanceId: model.at.instance }]);
  const body = { dialect: 'alibaba', instanceId: model.at.instance, name: 'client', roles: ['KeyPurge'] };
  const headers = { authorization: `Bearer ${apiKey}` };
  expect((await model.at.world.api('POST', '/api/v1/access-keys', body, headers)).status).toBe(403);
  expect((await model.at.world.api('GET', '/api/v1/access-keys', undefined, headers)).status).toBe(403);
});

it('kp makes, lists and revokes them; a Huawei key comes with its project', async () => {
  const { world } = model.at;
  const made = await world.kp('access-key', 'create', '--dialect', 'huawei', '-o', 'json');
  expect(made.code).toBe(0);
  const { access_key_id: id, access_key_secret: secret, project_id: project } = JSON.parse(made.stdout);
  expect(project).toBe(model.at.instance.replaceAll('-', ''));
  expect((await find(id, 'huawei'))?.secret.toString()).toBe(secret);
  const listed = await world.kp('access-key', 'list');
  expect(listed.stdout).toContain(id);
  expect(listed.stdout).not.toContain(secret);
  expect((await world.kp('access-key', 'revoke', id)).code).toBe(0);
  expect(await find(id, 'huawei')).toBeNull();
}, 60_000);

describe('nonces', () => {
  const nonces = () => model.get(AccessNonces);

  it('are good once for each access key, however many come at once', async () => {
    const until = new Date(Date.now() + 60_000);
    const all = await Promise.all(Array.from({ length: 20 }, () => nonces().spend('LTAIone', 'n', until)));
    expect(all.filter((good) => good)).toHaveLength(1);
    expect(await nonces().spend('LTAItwo', 'n', until)).toBe(true);
    expect(await nonces().spend('LTAIone', 'm', until)).toBe(true);
  });

  it('are forgotten when the request would be too old anyway', async () => {
    expect(await nonces().spend('LTAIold', 'n', new Date(Date.now() - 1))).toBe(true);
    expect(await nonces().spend('LTAIold', 'n', new Date(Date.now() - 1))).toBe(true);
    await nonces().sweep();
    const { rowCount } = await model.at.db.query(`SELECT 1 FROM "access_nonces" WHERE "accessKeyId" = 'LTAIold'`);
    expect(rowCount).toBe(0);
  });
});
