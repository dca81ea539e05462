import { keyBody, policyBody } from '../keys/key-world.js';
import { createKey, opens, wrap } from '../units.js';
import { until } from '../until.js';
import type { World } from '../world.js';
import { Replicas } from './replicas.js';

/** What one server does, the other one knows within this time. */
const EVERYWHERE_MS = 1_000;
const ASKED_AFTERWARDS = 1_000;
const AT_ONCE = 50;
const DATA_KEY = Buffer.alloc(32, 7).toString('base64');

let replicas: Replicas;
let first: World;
let second: World;
beforeAll(async () => {
  replicas = await Replicas.initialised({ KEYSTEAD_TIMER_DUE_KEYS_MS: '300' });
  ({ first, second } = replicas);
}, 180_000);
afterAll(() => replicas?.end());

const instanceHeader = (world: World) => ({ 'bluemix-instance': world.instance });
const send = (world: World, method: string, path: string, body?: unknown) =>
  world.api(method, `/api/v2/${path}`, body, instanceHeader(world));
const wrapAt = (world: World, key: string) => send(world, 'POST', `keys/${key}/actions/wrap`, { plaintext: DATA_KEY });

describe('one service from two servers', () => {
  it('the ceremony through one makes both serve, with one identity', async () => {
    expect(await second.states()).toEqual(['kms-initialized', 'kms-initialized', 'kms-initialized']);
    const users = await Promise.all(replicas.both.map((world) => world.api('GET', '/api/v1/cryptouser/metadata')));
    expect(new Set(users.map(({ body }) => body.fingerprint)).size).toBe(1);
  });

  it('what one wraps the other unwraps, and a token that one issued lets in at the other', async () => {
    const key = await createKey(first, 'root');
    expect(await opens(second, key, await wrap(first, key))).toBe(true);
    expect(await opens(first, key, await wrap(second, key))).toBe(true);
    const form = `grant_type=urn:ibm:params:oauth:grant-type:apikey&apikey=${first.apiKey}`;
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    const { body } = await first.api('POST', '/identity/token', form, type);
    const headers = { ...instanceHeader(second), authorization: `Bearer ${body.access_token}` };
    expect((await second.api('GET', `/api/v2/keys/${key}`, undefined, headers)).status).toBe(200);
  });

  it('there is one first API key, and one line for it', async () => {
    expect((await first.api('GET', '/api/v1/audit?act=api-key.bootstrap')).body.lines).toHaveLength(1);
  });

  it('says that its agents are not under its own uid only when that is so', async () => {
    const { body } = await first.api('GET', '/health');
    expect(body.isolation).toBe('process-only'); // the same user runs all of them here
  });
});

describe('what one server did', () => {
  it.each([
    ['disabled', (id: string) => send(first, 'POST', `keys/${id}/actions/disable`)],
    ['deleted', (id: string) => send(first, 'DELETE', `keys/${id}`)],
  ])('a key that it %s is not used again by the other, at once', async (_what, act) => {
    const id = await createKey(second, 'short-lived');
    expect((await wrapAt(second, id)).status).toBe(200);
    expect((await act(id)).status).toBe(204);
    for (let asked = 0; asked < ASKED_AFTERWARDS; asked += AT_ONCE) {
      const answers = await Promise.all(Array.from({ length: AT_ONCE }, () => wrapAt(second, id)));
      expect(answers.filter(({ status }) => status < 300)).toEqual([]);
    }
  });

  it('an API key that it revoked is refused by the other, at once', async () => {
    const made = await first.api('POST', '/api/v1/api-keys', { name: 'brief', roles: ['Reader'], scopes: [] });
    const headers = { ...instanceHeader(second), authorization: `Bearer ${made.body.apiKey}` };
    expect((await second.api('GET', '/api/v2/keys', undefined, headers)).status).toBe(200);
    expect((await first.api('DELETE', `/api/v1/api-keys/${made.body.id}`)).status).toBeLessThan(300);
    expect((await second.api('GET', '/api/v2/keys', undefined, headers)).status).toBe(401);
  });

  it(`an instance policy holds at the other within ${EVERYWHERE_MS} ms`, async () => {
    const attributes = { create_root_key: false };
    const put = (enabled: boolean) =>
      send(
        first,
        'PUT',
        'instance/policies?policy=keyCreateImportAccess',
        policyBody({ policy_type: 'keyCreateImportAccess', policy_data: { enabled, ...(enabled && { attributes }) } }),
      );
    const create = async () => (await send(second, 'POST', 'keys', keyBody({}))).status;
    expect(await create()).toBe(201);
    expect((await put(true)).status).toBe(204);
    await until(async () => (await create()) === 409, EVERYWHERE_MS);
    expect((await put(false)).status).toBe(204);
    await until(async () => (await create()) === 201, EVERYWHERE_MS);
  });

  it('maintenance of a unit is known to the other when it is asked', async () => {
    const [unit] = await first.units();
    const path = `/api/v1/cryptounits/${unit?.id}/maintenance`;
    expect((await first.api('PUT', path, { on: true })).status).toBe(200);
    expect((await second.units())[0]?.state).toBe('maintenance');
    expect((await first.api('PUT', path, { on: false })).status).toBe(200);
    expect((await second.units())[0]?.state).toBe('kms-initialized');
  });
});

it('a job is done once, whichever server is first: keys that expire are deactivated with one line each', async () => {
  const expirationDate = new Date(Date.now() + 1_500).toISOString();
  const made = await Promise.all(
    Array.from({ length: 5 }, () => send(first, 'POST', 'keys', keyBody({ expirationDate }))),
  );
  const ids: string[] = made.map(({ body }) => body.resources[0].id);
  const linesOf = async (id: string) =>
    (await second.api('GET', `/api/v1/audit?act=kms.secrets.expire&target=${id}&limit=10`)).body.lines.length;
  for (const id of ids) await until(async () => (await linesOf(id)) > 0, 15_000);
  expect(await Promise.all(ids.map(linesOf))).toEqual(ids.map(() => 1));
});

describe('an agent that ends', () => {
  it('is done without by both, and used again when it is back', async () => {
    const key = await createKey(first, 'root');
    const [agent] = replicas.agents;
    await agent?.end('SIGKILL');
    for (let turn = 0; turn < 10; turn += 1) {
      for (const world of replicas.both) expect((await wrapAt(world, key)).status).toBe(200);
    }
    await agent?.start();
    await replicas.ready();
  });
});
