import { constants, publicEncrypt, randomBytes } from 'node:crypto';
import { type Got, HuaweiWorld } from './huawei-world.js';
import { importBody, type Parameters, parametersFor } from './material.js';

let w: HuaweiWorld;
beforeAll(async () => {
  w = await HuaweiWorld.start();
}, 180_000);
afterAll(() => w?.end(), 30_000);

/** A block of 256 bytes below the modulus, encrypted as it is: what an attacker can make of any padding. */
function raw({ public_key }: Parameters, block: Buffer): string {
  const key = { key: Buffer.from(public_key, 'base64'), format: 'der', type: 'spki' } as const;
  return publicEncrypt({ ...key, padding: constants.RSA_NO_PADDING }, block).toString('base64');
}

function oaep({ public_key }: Parameters, oaepHash: string, bytes: Buffer, label?: Buffer): string {
  const key = { key: Buffer.from(public_key, 'base64'), format: 'der', type: 'spki' } as const;
  return publicEncrypt({ ...key, oaepHash, ...(label && { oaepLabel: label }) }, bytes).toString('base64');
}

const block = (...first: number[]) => Buffer.concat([Buffer.from(first), randomBytes(256 - first.length)]);

/** Ten ways in which a ciphertext can be wrong. */
const MALFORMED: Readonly<Record<string, (given: Parameters, good: string) => string>> = {
  'a first byte that is not zero': (given) => raw(given, block(1)),
  'a seed and a mask of noise': (given) => raw(given, block(0)),
  'padding of PKCS #1 v1.5': (given) =>
    raw(given, Buffer.concat([block(0, 2).subarray(0, 223), Buffer.alloc(1), randomBytes(32)])),
  'nothing but zeros': (given) => raw(given, Buffer.alloc(256)),
  'the number one': (given) => raw(given, Buffer.concat([Buffer.alloc(255), Buffer.from([1])])),
  'OAEP with SHA-1': (given) => oaep(given, 'sha1', randomBytes(32)),
  'OAEP with SHA-512': (given) => oaep(given, 'sha512', randomBytes(32)),
  'OAEP with a label': (given) => oaep(given, 'sha256', randomBytes(32), Buffer.from('label')),
  'a bit that was turned': (_given, good) => {
    const bytes = Buffer.from(good, 'base64');
    bytes.writeUInt8(bytes.readUInt8(255) ^ 1, 255);
    return bytes.toString('base64');
  },
  'a number above the modulus': () => Buffer.alloc(256, 0xff).toString('base64'),
};

/** What an attacker can look at: all but date and ids. */
function seen({ status, headers, text }: Got): object {
  const { date: _date, 'correlation-id': _correlation, 'x-request-id': _request, ...rest } = headers;
  return { status, headers: rest, text };
}

it('answers ten kinds of malformed material alike, to the byte', async () => {
  const answers = [];
  for (const make of Object.values(MALFORMED)) {
    const keyId = await w.newCmk({ origin: 'external' });
    const given = await parametersFor(w, keyId);
    const good = importBody(keyId, given, randomBytes(32));
    const encrypted_key_material = make(given, good.encrypted_key_material);
    answers.push(seen(await w.post('import-key-material', { ...good, encrypted_key_material })));
  }
  expect(answers).toHaveLength(10);
  expect(answers[0]).toMatchObject({ status: 400, text: expect.stringContaining('KMS.0311') });
  for (const answer of answers) expect(answer).toEqual(answers[0]);
}, 60_000);

it('gives parameters up after ten failures, whatever comes then, and others stay good', async () => {
  const keyId = await w.newCmk({ origin: 'external' });
  const [burnt, spare] = [await parametersFor(w, keyId), await parametersFor(w, keyId)];
  const good = importBody(keyId, burnt, randomBytes(32));
  const noise = { ...good, encrypted_key_material: raw(burnt, block(0)) };
  for (let time = 0; time < 10; time += 1) expect(await w.refusal('import-key-material', noise)).toBe('KMS.0311');
  const after = await w.refusal('import-key-material', good);
  expect(['KMS.2601', 'KMS.2605']).toContain(after);
  expect(await w.refusal('import-key-material', noise)).toBe(after);
  await w.ok('import-key-material', importBody(keyId, spare, randomBytes(32)));
}, 60_000);

it('says nothing of the length of material in the older padding', async () => {
  const answers = [];
  for (const bytes of [16, 31, 33]) {
    const keyId = await w.newCmk({ origin: 'external' });
    const given = await parametersFor(w, keyId, 'RSAES_PKCS1_V1_5');
    const body = importBody(keyId, given, randomBytes(bytes), 'RSAES_PKCS1_V1_5');
    answers.push(seen(await w.post('import-key-material', body)));
    const noise = { ...body, encrypted_key_material: raw(given, block(0, 3)) };
    answers.push(seen(await w.post('import-key-material', noise)));
  }
  for (const answer of answers) expect(answer).toEqual(answers[0]);
}, 60_000);
