import pg from 'pg';
import { until } from '../until.js';
import { type Got, KeyProtectWorld, keyCollection, type Sending } from './key-protect-world.js';
import { type Sealed, sealed, type Token, WRONG } from './sealed-imports.js';

/** Import tokens on the wire: how soon they are there, and how little a wrong input tells. */
const POOL = 5;
const SOON_MS = 100;

let w: KeyProtectWorld;
let db: pg.Client;
beforeAll(async () => {
  w = await KeyProtectWorld.start({ KEYSTEAD_IMPORT_PAIR_POOL: String(POOL) });
  db = new pg.Client({ connectionString: w.world.databaseUrl });
  await db.connect();
}, 180_000);
afterAll(async () => {
  await db?.end();
  await w?.end();
}, 30_000);
afterEach(() => expect(w.proxy.violations).toEqual([]));

const send = (method: string, path: string, sending: Sending = {}) => w.send(method, `/api/v2/${path}`, sending);
const post = () => send('POST', 'import_token', { body: { maxAllowedRetrievals: 2 } });
const ready = async () => (await db.query(`SELECT 1 FROM "import_pairs" WHERE "takenAt" IS NULL`)).rowCount ?? 0;
const full = () => until(async () => (await ready()) >= POOL, 240_000);

async function timed(ask: () => Promise<Got>, status: number): Promise<number> {
  const began = performance.now();
  expect((await ask()).status).toBe(status);
  return performance.now() - began;
}

const median = (times: readonly number[]) => [...times].sort((a, b) => a - b)[times.length >> 1] as number;

it('five tokens in a row come out of the pool; the next one as soon as its pair is there', async () => {
  await full();
  const other: number[] = [];
  for (let n = 0; n < POOL; n += 1) other.push(await timed(() => send('POST', `key_rings/ring-${n}`), 201));
  const tokens: number[] = [];
  for (let n = 0; n < POOL; n += 1) tokens.push(await timed(post, 200));
  // on a busy machine everything takes longer, also what needs no pair
  expect(median(tokens)).toBeLessThan(Math.max(SOON_MS, 8 * median(other)));
  const atOnce = await Promise.all(Array.from({ length: 3 }, post));
  expect(atOnce.map(({ status }) => status)).toEqual([200, 200, 200]);
  const { rows } = await db.query(`SELECT count(*)::int AS "n" FROM "import_pairs" WHERE "takenAt" IS NOT NULL`);
  expect(rows[0].n).toBe(1); // of the tokens that were replaced, nothing is left
}, 400_000);

async function token(): Promise<Token> {
  expect((await post()).status).toBe(200);
  const { payload, nonce } = (await send('GET', 'import_token')).body;
  return { publicKey: Buffer.from(payload, 'base64').toString(), nonce: Buffer.from(nonce, 'base64') };
}

function importing({ payload, encryptedNonce, iv }: Sealed): Promise<Got> {
  const resource = {
    name: 'imported',
    extractable: false,
    payload: payload.toString('base64'),
    encryptedNonce: encryptedNonce.toString('base64'),
    iv: iv.toString('base64'),
    encryptionAlgorithm: 'RSAES_OAEP_SHA_256',
  };
  return send('POST', 'keys', { body: keyCollection(resource) });
}

/** Everything of an answer but what differs between any two. */
function shown({ status, headers, text }: Got): object {
  const differ = ['date', 'correlation-id', 'x-request-id'];
  return { status, text, headers: [...headers].filter(([name]) => !differ.includes(name)) };
}

it('ten kinds of wrong input get the same bytes for an answer, and the tenth burns the token', async () => {
  const given = await token();
  const answers: object[] = [];
  for (const make of Object.values(WRONG)) answers.push(shown(await importing(make(given))));
  expect(answers).toEqual(Array(10).fill(answers[0]));
  expect(answers[0]).toMatchObject({ status: 400, text: expect.stringContaining('(INCORRECT_NONCE_IV_ERR)') });
  const burnt = await importing(sealed(given));
  expect([burnt.status, burnt.text]).toEqual([409, expect.stringContaining('(IMPORT_TOKEN_EXPIRED_ERR)')]);
  expect((await send('GET', 'import_token')).status).toBe(409);
  expect((await importing(sealed(await token()))).status).toBe(201);
}, 240_000);

it('nine failures and a success leave the token its tenth failure', async () => {
  const given = await token();
  const bad = WRONG['a changed tag'] as (given: Token) => Sealed;
  for (let n = 0; n < 9; n += 1) expect((await importing(bad(given))).status).toBe(400);
  expect((await importing(sealed(given))).status).toBe(201);
  expect((await importing(bad(given))).status).toBe(400);
  expect((await importing(sealed(given))).status).toBe(409);
}, 240_000);
