import { randomBytes } from 'node:crypto';
import { GetImportParameters } from '../../src/keys/import-parameters.command.js';
import type { WrappingAlgorithm } from '../../src/unit-agent/protocol.js';
import { encryptTo, MANAGER, Model } from './model.js';

/** What clients get to encrypt key material with: how long it holds, for what, and when it burns. */
let model: Model;
beforeAll(async () => {
  model = await Model.start({ KEYSTEAD_IMPORT_PAIR_POOL: '2', KEYSTEAD_TIMER_DUE_KEYS_MS: '200' });
}, 120_000);
afterAll(() => model?.end());

const OAEP = 'RSAES_OAEP_SHA_256';
const parameters = (id: string, algorithm: WrappingAlgorithm = OAEP) =>
  model.ask(new GetImportParameters(MANAGER, model.target(id), { algorithm }));
const refuses = (code: string) => expect.objectContaining({ code });

it('they are a public key of 2048 bits, a token that says nothing, and hold for a day', async () => {
  const { id } = await model.external();
  const before = Date.now();
  const { publicKey, importToken, expiresAt } = await parameters(id);
  expect(publicKey).toHaveLength(294);
  expect(importToken.length).toBeGreaterThanOrEqual(150);
  expect(expiresAt.getTime() - before).toBeGreaterThanOrEqual(86_400_000);
  expect(expiresAt.getTime() - before).toBeLessThan(86_460_000);
  const { rows } = await model.at.db.query(`SELECT * FROM "import_parameters" WHERE "keyId" = $1`, [id]);
  expect(JSON.stringify(rows)).not.toContain(importToken.toString('base64'));
});

it('each call gives a new pair; all of them are good, again and again', async () => {
  const { id } = await model.external();
  const [one, two] = [await parameters(id), await parameters(id)];
  expect(one.publicKey.equals(two.publicKey)).toBe(false);
  const material = randomBytes(32);
  for (const { publicKey, importToken } of [two, one, two]) {
    expect((await model.importWith(id, importToken, encryptTo(publicKey, OAEP, material))).state).toBe(1);
  }
});

it('come in less than 100 ms while a pair is ready', async () => {
  const { id } = await model.external();
  const ready = `SELECT 1 FROM "import_pairs" WHERE "algorithm" = 'RSA-2048' AND "takenAt" IS NULL HAVING count(*) >= 2`;
  const times: number[] = [];
  for (let n = 0; n < 5; n += 1) {
    await model.at.untilRow(ready);
    const begun = performance.now();
    await parameters(id);
    times.push(performance.now() - begun);
  }
  expect(Math.min(...times)).toBeLessThan(100);
}, 60_000);

it('a token is good for its own key and instance only, and none that was not given is good', async () => {
  const [one, two] = [await model.external(), await model.external()];
  const { publicKey, importToken } = await parameters(one.id);
  const sealed = encryptTo(publicKey, OAEP, randomBytes(32));
  await expect(model.importWith(two.id, importToken, sealed)).rejects.toEqual(refuses('IMPORT_TOKEN_OTHER_KEY'));
  const cut = importToken.subarray(0, -1);
  for (const other of [randomBytes(160), Buffer.alloc(0), cut]) {
    await expect(model.importWith(one.id, other, sealed)).rejects.toEqual(refuses('IMPORT_TOKEN_INVALID'));
  }
});

it('a token that expired says so, and its pair is gone', async () => {
  const { id } = await model.external();
  const { publicKey, importToken } = await parameters(id);
  await model.at.db.query(`UPDATE "import_parameters" SET "expiresAt" = now() WHERE "keyId" = $1`, [id]);
  const sealed = encryptTo(publicKey, OAEP, randomBytes(32));
  await expect(model.importWith(id, importToken, sealed)).rejects.toEqual(refuses('IMPORT_TOKEN_EXPIRED'));
  await model.at.untilRow(
    `SELECT 1 FROM "import_parameters" "p" WHERE "keyId" = $1
     AND NOT EXISTS (SELECT 1 FROM "import_pairs" WHERE "id" = "p"."pairId")`,
    id,
  );
  await expect(model.importWith(id, importToken, sealed)).rejects.toEqual(refuses('IMPORT_TOKEN_EXPIRED'));
});

it.each(['RSAES_PKCS1_V1_5', 'RSAES_OAEP_SHA_256'] as const)(
  'a pair of %s burns after ten imports that do not open, however many come at once, and all get one answer',
  async (algorithm) => {
    const { id } = await model.external();
    const { publicKey, importToken } = await parameters(id, algorithm);
    const wrong = encryptTo(publicKey, 'RSAES_OAEP_SHA_1', randomBytes(32));
    const attempts = Array.from({ length: 16 }, () => model.importWith(id, importToken, wrong));
    const answers = (await Promise.allSettled(attempts)).map((answer) => (answer as PromiseRejectedResult).reason);
    const refused = answers.filter(({ code }) => code === 'IMPORT_INVALID');
    expect(refused).toHaveLength(10);
    expect(new Set(refused.map(({ message }) => message)).size).toBe(1);
    expect(answers.filter(({ code }) => code === 'IMPORT_TOKEN_EXPIRED')).toHaveLength(6);
    const good = encryptTo(publicKey, algorithm, randomBytes(32));
    await expect(model.importWith(id, importToken, good)).rejects.toEqual(refuses('IMPORT_TOKEN_EXPIRED'));
  },
  60_000,
);

it('many good imports at once all succeed', async () => {
  const { id } = await model.external();
  const { publicKey, importToken } = await parameters(id);
  const material = randomBytes(32);
  const all = Array.from({ length: 14 }, () => model.importWith(id, importToken, encryptTo(publicKey, OAEP, material)));
  expect((await Promise.all(all)).map(({ state }) => state)).toEqual(all.map(() => 1));
}, 60_000);
