import { constants, createCipheriv, publicEncrypt, randomBytes } from 'node:crypto';
import { until } from '../until.js';
import { KeyWorld, keyBody, refusalOf } from './key-world.js';

/** Keys that come in encrypted for the import token. */
let at: KeyWorld;
beforeAll(async () => {
  at = await KeyWorld.start({
    KEYSTEAD_IMPORT_PAIR_POOL: '1',
    KEYSTEAD_TIMER_IMPORT_SECOND_MS: '1000',
    KEYSTEAD_TIMER_RESTORE_MS: '1',
    KEYSTEAD_TIMER_ROTATE_MS: '1',
  });
}, 120_000);
afterAll(() => at.end());

interface Token {
  readonly payload: string;
  readonly nonce: string;
}

async function token(): Promise<Token> {
  expect((await at.send('POST', 'import_token', { expiration: 300, maxAllowedRetrievals: 2 })).status).toBe(200);
  return (await at.send('GET', 'import_token')).body;
}

function sealed({ payload, nonce }: Token, key: Buffer, changes: { nonce?: Buffer } = {}) {
  const publicKey = Buffer.from(payload, 'base64').toString();
  const oaep = { key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };
  const iv = randomBytes(12);
  const cipher = createCipheriv(`aes-${key.length * 8}-gcm` as 'aes-256-gcm', key, iv);
  const encryptedNonce = Buffer.concat([
    cipher.update(changes.nonce ?? Buffer.from(nonce, 'base64')),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  return {
    payload: publicEncrypt(oaep, key).toString('base64'),
    encryptedNonce: encryptedNonce.toString('base64'),
    iv: iv.toString('base64'),
    encryptionAlgorithm: 'RSAES_OAEP_SHA_256',
  };
}

it.each([16, 24, 32])(
  'a root key of %d bytes is imported, used, rotated and restored with its own material only',
  async (length) => {
    const given = await token();
    const key = randomBytes(length);
    const id = await at.key(sealed(given, key));
    const { body } = await at.send('GET', `keys/${id}/metadata`);
    expect(body.resources[0]).toMatchObject({ imported: true, algorithmBitSize: length * 8 });
    const { body: wrapped } = await at.send('POST', `keys/${id}/actions/wrap`);
    await at.send('DELETE', `keys/${id}`);
    const restore = (material: object) =>
      at.send('POST', `keys/${id}/restore`, {
        metadata: { collectionType: 'application/vnd.ibm.kms.key_action_restore+json', collectionTotal: 1 },
        resources: [material],
      });
    expect((await restore(sealed(given, randomBytes(length)))).status).toBe(400);
    expect((await restore(sealed(given, key))).status).toBe(201);
    expect((await at.send('POST', `keys/${id}/actions/rotate`, sealed(given, randomBytes(32)))).status).toBe(204);
    const opened = await at.send('POST', `keys/${id}/actions/unwrap`, { ciphertext: wrapped.ciphertext });
    expect(opened.body.plaintext).toBe(wrapped.plaintext);
  },
  60_000,
);

it('a token is answered at once from the pool of ready pairs', async () => {
  await until(
    async () =>
      (await at.db.query(`SELECT 1 FROM "import_pairs" WHERE "takenAt" IS NULL AND "algorithm" = 'RSA-4096'`))
        .rowCount === 1,
    60_000,
  );
  const before = performance.now();
  await at.send('POST', 'import_token');
  expect(performance.now() - before).toBeLessThan(1_000);
}, 90_000);

it('a token is given out as often as it says, and serves imports after that until it expires', async () => {
  const given = await token();
  expect((await at.send('GET', 'import_token')).body.remainingRetrievals).toBe(0);
  expect(refusalOf(await at.send('GET', 'import_token'))).toEqual([409, 'IMPORT_TOKEN_EXPIRED_ERR']);
  await at.key(sealed(given, randomBytes(32)));
  await at.db.query(`UPDATE "import_tokens" SET "expiresAt" = now()`);
  expect(refusalOf(await at.send('POST', 'keys', keyBody(sealed(given, randomBytes(32)))))).toEqual([
    409,
    'IMPORT_TOKEN_EXPIRED_ERR',
  ]);
}, 60_000);

it('a token burns after ten imports that do not open, however many come at once, and all get one answer', async () => {
  const given = await token();
  const bad = () => at.send('POST', 'keys', keyBody(sealed(given, randomBytes(32), { nonce: randomBytes(12) })));
  const answers = await Promise.all(Array.from({ length: 16 }, bad));
  const said = answers.map((answer) => refusalOf(answer));
  expect(said.filter(([status]) => status === 400)).toHaveLength(10);
  expect(said.filter(([status]) => status === 409)).toHaveLength(6);
  expect(new Set(answers.filter(({ status }) => status === 400).map(({ text }) => text)).size).toBe(1);
  expect(refusalOf(await at.send('POST', 'keys', keyBody(sealed(given, randomBytes(32)))))).toEqual([
    409,
    'IMPORT_TOKEN_EXPIRED_ERR',
  ]);
  await at.key(sealed(await token(), randomBytes(32)));
}, 60_000);

it('many good imports at once all succeed', async () => {
  const given = await token();
  const answers = await Promise.all(
    Array.from({ length: 14 }, () => at.send('POST', 'keys', keyBody(sealed(given, randomBytes(32))))),
  );
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
}, 60_000);
