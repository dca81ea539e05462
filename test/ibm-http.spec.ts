import { createPublicKey, generateKeyPairSync, randomUUID, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKey, opens, succeed, wrap } from './units.js';
import { until } from './until.js';
import { type Answer, World } from './world.js';

/** The HTTP calls that IBM's Go library makes to crypto units, replayed by hand, and the ceremony that follows them. */
let world: World;
let ids: readonly string[];
beforeAll(async () => {
  world = await World.withInstance(2);
  await succeed(world.makeAdmin());
  ids = (await world.units()).map((unit) => unit.id);
}, 60_000);
afterAll(() => world.end());

/** A call with the headers that the library sends with each. */
function go(method: string, path: string, body?: unknown, unit?: string, on = world): Promise<Answer> {
  const id = randomUUID();
  return on.api(method, path, body, {
    'Instance-ID': on.instance,
    'Bluemix-Instance': on.instance,
    'X-Request-ID': id,
    'X-Correlation-ID': id,
    'Correlation-Id': id,
    'Content-Type': 'application/json',
    ...(unit !== undefined && { 'Crypto-Unit-ID': unit }),
  });
}
const claim = (unit: string | undefined, certificate: string, on = world) =>
  go('POST', '/api/v1/cryptounits/claim', { certificate }, unit, on);

/** -----BEGIN RSA PUBLIC KEY----- of the administrator's file. */
function adminKey(): string {
  const text = readFileSync(join(world.files, 'admin.key'), 'utf8');
  return pkcs1(new X509Certificate(text).publicKey.export({ type: 'spki', format: 'pem' }).toString());
}
const pkcs1 = (pem: string) => createPublicKey(pem).export({ type: 'pkcs1', format: 'pem' }).toString();
const rsa = (bits: number) =>
  generateKeyPairSync('rsa', {
    modulusLength: bits,
    publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).publicKey;

describe('GET /api/v1/cryptounits', () => {
  it('answers a bare JSON array of id, instanceId and state, under the correlation id of the request', async () => {
    const { status, headers, body } = await go('GET', '/api/v1/cryptounits');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toContain('application/json');
    expect(headers.get('correlation-id')).toMatch(/^[0-9a-f-]{36}$/);
    const reserved = ids.map((id) => expect.objectContaining({ id, instanceId: world.instance, state: 'reserved' }));
    expect(body).toEqual(reserved);
  });

  it.each(['Instance-ID', 'Bluemix-Instance'])('takes the instance from the header %s alone', async (name) => {
    const { body } = await world.api('GET', '/api/v1/cryptounits', undefined, { [name]: world.instance });
    expect(body).toHaveLength(2);
    const other = await world.api('GET', '/api/v1/cryptounits', undefined, { [name]: randomUUID() });
    expect([other.status, other.text]).toEqual([404, expect.stringContaining('INSTANCE_NOT_FOUND')]);
  });
});

describe('GET /api/v1/cryptouser/metadata', () => {
  it('answers user_name, a public_key of RSA-2048 in PKIX form and a numeric slot_id', async () => {
    const { status, body } = await go('GET', '/api/v1/cryptouser/metadata');
    expect([status, body]).toEqual([
      200,
      {
        user_name: `${world.instance}-kp-user`,
        public_key: expect.stringMatching(/^-----BEGIN PUBLIC KEY-----\n/),
        slot_id: expect.any(Number),
        fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    ]);
    expect(createPublicKey(body.public_key).asymmetricKeyDetails?.modulusLength).toBe(2048);
    expect((await go('GET', '/api/v1/cryptouser/metadata')).body).toEqual(body);
  });
});

describe('POST /api/v1/cryptounits/claim', () => {
  it('is refused without the header Crypto-Unit-ID, and for a unit that is not there', async () => {
    const headless = await claim(undefined, adminKey());
    expect([headless.status, headless.text]).toEqual([400, expect.stringContaining('Crypto-Unit-ID')]);
    expect((await claim(randomUUID(), adminKey())).status).toBe(404);
  });

  it.each([
    ['an RSA key of 1024 bits', () => rsa(1024)],
    ['what is no key', () => 'no key'],
    ['a whole signature key file', () => readFileSync(join(world.files, 'admin.key'), 'utf8')],
  ])('is refused with %s, and the unit stays reserved', async (_what, certificate) => {
    const { status, body } = await claim(ids[0], certificate());
    expect([status, body.resources[0].reasons[0].code]).toEqual([400, 'BAD_REQUEST']);
    expect(await world.states()).toEqual(['reserved', 'reserved']);
  });

  it("takes a unit with IBM's bare RSA PUBLIC KEY", async () => {
    expect(adminKey()).toMatch(/^-----BEGIN RSA PUBLIC KEY-----\n/);
    expect((await claim(ids[0], adminKey())).status).toBe(200);
    expect(await world.states()).toEqual(['claimed', 'reserved']);
  });

  it('again with the same key is fine; with another it is refused, on the unit and on its siblings', async () => {
    expect((await claim(ids[0], adminKey())).status).toBe(200);
    const other = rsa(2048);
    for (const id of ids) expect((await claim(id, other)).status).toBe(409);
    expect(await world.states()).toEqual(['claimed', 'reserved']);
    expect((await claim(ids[1], adminKey())).status).toBe(200);
  });

  it('can be switched off, and then names the kp command', async () => {
    const strict = await World.start({ env: { KEYSTEAD_BARE_CLAIM: 'off' } });
    try {
      const { status, text } = await claim(randomUUID(), adminKey(), strict);
      expect([status, text]).toEqual([403, expect.stringContaining('kp crypto-unit claim --credential')]);
    } finally {
      await strict.end();
    }
  });
});

describe('POST /api/v1/crypto_units/{id}/zeroize', () => {
  it('is obeyed by no unit: 403, with the signed command to run', async () => {
    const [id = ''] = ids;
    const { status, text, body } = await go('POST', `/api/v1/crypto_units/${id}/zeroize`, undefined, id);
    expect([status, text]).toEqual([403, expect.stringContaining(`kp crypto-unit zeroize --id ${id} --auth`)]);
    expect(body.resources[0].reasons[0].code).toBe('COMMAND_UNSIGNED');
    expect(await world.states()).toEqual(['claimed', 'claimed']);
  });
});

describe('after a bare claim', () => {
  /** The fingerprints as the agents logged them, in the order of the units. */
  const logged = () =>
    ids.map((id) => {
      const lines = world.log.split('\n').filter((line) => line.includes('"event":"claimed"') && line.includes(id));
      return JSON.parse(lines.at(-1) ?? '{}').unitKey as string;
    });

  it('kp knows no unit key yet: it signs nothing, exits 5 and shows the fingerprint that the agent logged', async () => {
    const { code, stderr } = await world.addKmsUser();
    expect(code).toBe(5);
    for (const [n, fingerprint] of logged().entries()) {
      expect(stderr).toContain(`the receipt key of crypto unit ${ids[n]} is not known here: ${fingerprint}`);
    }
    expect(await world.states()).toEqual(['claimed', 'claimed']);
  });

  it('a wrong --unit-key does not help', async () => {
    const wrong = ['--unit-key', '00'.repeat(32)];
    const add = ['crypto-unit', 'user', 'add', '--type', 'kmsCryptoUser', '--auth', world.auth];
    expect((await world.kp(...add, ...wrong)).code).toBe(5);
    expect(await world.states()).toEqual(['claimed', 'claimed']);
  });

  it('the command that kp printed, with --unit-key for both units, is believed and remembered', async () => {
    const refused = await world.addKmsUser();
    const next = /kp crypto-unit user add .*/.exec(refused.stdout + refused.stderr)?.[0] ?? '';
    for (const fingerprint of logged()) expect(next).toContain(`--unit-key ${fingerprint}`);
    await succeed(world.shell(next));
    expect(await world.states()).toEqual(['kms-authorized', 'kms-authorized']);
  });

  it('the rest of the ceremony works with kp as after its own claim', async () => {
    await succeed(world.generate());
    await succeed(world.importKey());
    expect(await world.states()).toEqual(['kms-initialized', 'kms-initialized']);
    await until(async () => (await world.api('GET', '/readyz')).status === 200, 10_000);
    const key = await createKey(world, 'root');
    expect(await opens(world, key, await wrap(world, key))).toBe(true);
  });
});
