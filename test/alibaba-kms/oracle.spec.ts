import { constants, createPublicKey, generateKeyPairSync, publicEncrypt, randomBytes } from 'node:crypto';
import { ALGORITHMS, type Algorithm, AlibabaWorld, type Got, wrapped } from './alibaba-world.js';

const MATERIAL = randomBytes(32);
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;

let w: AlibabaWorld;
beforeAll(async () => {
  w = await AlibabaWorld.start();
}, 180_000);
afterAll(() => w?.end(), 30_000);

/** All that a client can see of an answer but its ids and its time. */
function visible({ status, headers, body }: Got): object {
  const named = [...headers].filter(
    ([name]) => !['date', 'correlation-id', 'x-request-id', 'x-acs-request-id'].includes(name),
  );
  return { status, headers: Object.fromEntries(named), body: JSON.stringify({ ...body, RequestId: 'id' }) };
}

const keyIn = (text: string) => createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' });
const raw = (text: string, block: Buffer) =>
  publicEncrypt({ key: keyIn(text), padding: constants.RSA_NO_PADDING }, block);
const others = (algorithm: Algorithm) => ALGORITHMS.filter((one) => one !== algorithm) as [Algorithm, Algorithm];

/** Ten ways not to be an encryption of key material, for which the answer must be one and the same. */
const MALFORMED: readonly (readonly [title: string, make: (publicKey: string, algorithm: Algorithm) => Buffer])[] = [
  ['random bytes', () => Buffer.concat([Buffer.of(0), randomBytes(255)])],
  ['nothing but zeros', () => Buffer.alloc(256)],
  ['a number above the modulus', () => Buffer.alloc(256, 0xff)],
  ['one byte too few', () => randomBytes(255)],
  ['one byte too many', () => randomBytes(257)],
  [
    'an encryption for another key',
    (_key, algorithm) => encrypted(stranger.export({ type: 'spki', format: 'der' }), algorithm),
  ],
  ['another padding', (key, algorithm) => Buffer.from(wrapped(MATERIAL, key, others(algorithm)[0]), 'base64')],
  ['a third padding', (key, algorithm) => Buffer.from(wrapped(MATERIAL, key, others(algorithm)[1]), 'base64')],
  [
    'a block that begins with another byte than zero',
    (key) => raw(key, Buffer.concat([Buffer.of(1), randomBytes(255)])),
  ],
  ['a block of zeros behind 00 02', (key) => raw(key, Buffer.concat([Buffer.of(0, 2), Buffer.alloc(254)]))],
];

function encrypted(der: Buffer, algorithm: Algorithm): Buffer {
  return Buffer.from(wrapped(MATERIAL, der.toString('base64'), algorithm), 'base64');
}

describe.each(ALGORITHMS)('%s', (algorithm) => {
  it('answers ten malformed classes alike, and then no longer takes what would have been good', async () => {
    const key = await w.createKey();
    const { PublicKey, ImportToken } = await w.parametersFor(key, algorithm);
    expect(keyIn(PublicKey).asymmetricKeyDetails).toMatchObject({
      modulusLength: 2048,
    });
    const answers: object[] = [];
    for (const [, make] of MALFORMED) {
      const EncryptedKeyMaterial = make(PublicKey, algorithm).toString('base64');
      answers.push(visible(await w.send('ImportKeyMaterial', { KeyId: key, ImportToken, EncryptedKeyMaterial })));
    }
    expect(answers[0]).toMatchObject({ status: 400, body: expect.stringContaining('"Code":"InvalidKeyMaterial"') });
    for (const answer of answers) expect(answer).toEqual(answers[0]);

    const good = { KeyId: key, ImportToken, EncryptedKeyMaterial: wrapped(MATERIAL, PublicKey, algorithm) };
    expect(await w.refused('ImportKeyMaterial', good)).toMatchObject({
      status: 400,
      code: expect.stringMatching(/ImportToken$/),
    });
    expect(await w.stateOf(key)).toBe('PendingImport');
    await w.ask('ImportKeyMaterial', await w.importOf(key, MATERIAL, algorithm));
    expect(await w.stateOf(key)).toBe('Enabled');
  });

  it.each([0, 1, 16, 24, 31, 33, 64])('answers material of %i bytes like what does not open', async (length) => {
    const key = await w.createKey();
    const { PublicKey, ImportToken } = await w.parametersFor(key, algorithm);
    const ask = async (block: Buffer) => {
      const EncryptedKeyMaterial = block.toString('base64');
      return visible(await w.send('ImportKeyMaterial', { KeyId: key, ImportToken, EncryptedKeyMaterial }));
    };
    const short = await ask(Buffer.from(wrapped(randomBytes(length), PublicKey, algorithm), 'base64'));
    expect(short).toMatchObject({ status: 400 });
    expect(short).toEqual(await ask(Buffer.alloc(256)));
  });
});
