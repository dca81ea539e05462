import { createHash, createPublicKey, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../processes.js';
import { until } from '../until.js';
import { HuaweiWorld } from './huawei-world.js';
import {
  importBody,
  imported,
  importedPair,
  keyWrapped,
  newPair,
  parametersFor,
  privateImportBody,
  type Spec,
  WRAPPING,
  type Wrapping,
  wrapped,
} from './material.js';

let w: HuaweiWorld;
beforeAll(async () => {
  w = await HuaweiWorld.start();
}, 180_000);
afterAll(() => w?.end(), 30_000);

const PENDING = '5';
const ENABLED = '2';
const roundTrip = async (keyId: string) => {
  const { cipher_text } = await w.ok('encrypt-data', { key_id: keyId, plain_text: 'a text' });
  expect((await w.ok('decrypt-data', { cipher_text })).plain_text).toBe('a text');
  return cipher_text;
};

describe('symmetric material', () => {
  it.each(Object.keys(WRAPPING) as Wrapping[])('is imported with %s and encrypts', async (algorithm) => {
    const keyId = await w.newCmk({ origin: 'external' });
    expect(await w.state(keyId)).toBe(PENDING);
    const given = await parametersFor(w, keyId, algorithm);
    const lives = given.expiration_time - Date.now() / 1000;
    expect(Math.abs(lives - 86_400)).toBeLessThan(60);
    const { asymmetricKeyDetails } = createPublicKey({
      key: Buffer.from(given.public_key, 'base64'),
      format: 'der',
      type: 'spki',
    });
    expect(asymmetricKeyDetails?.modulusLength).toBe(2048);
    await w.ok('import-key-material', importBody(keyId, given, randomBytes(32), algorithm));
    const { key_info } = await w.ok('describe-key', { key_id: keyId });
    expect(key_info).toMatchObject({ key_state: ENABLED, origin: 'external', expiration_time: '' });
    await roundTrip(keyId);
  });

  it('binds the key for ever: the same again after it was deleted, and no other', async () => {
    const bytes = randomBytes(32);
    const keyId = await imported(w, bytes);
    const cipher_text = await roundTrip(keyId);
    await w.ok('delete-imported-key-material', { key_id: keyId });
    expect(await w.state(keyId)).toBe(PENDING);
    expect(await w.refusal('decrypt-data', { cipher_text })).toBe('KMS.1301');
    const given = await parametersFor(w, keyId);
    const other = importBody(keyId, given, randomBytes(32));
    expect(await w.refusal('import-key-material', other)).toBe('KMS.2606');
    await w.ok('import-key-material', importBody(keyId, given, bytes));
    expect((await w.ok('decrypt-data', { cipher_text })).plain_text).toBe('a text');
  });

  it('opens in one key only, though two keys have the same', async () => {
    const bytes = randomBytes(32);
    const [one, two] = [await imported(w, bytes), await imported(w, bytes)];
    const { cipher_text } = await w.ok('encrypt-data', { key_id: one, plain_text: 'for one' });
    expect(await w.refusal('decrypt-data', { cipher_text, key_id: two })).toBe('KMS.2201');
    const forged = Buffer.from(cipher_text, 'base64');
    forged.write(two, forged.length - 72, 'ascii');
    createHash('sha256')
      .update(forged.subarray(0, -32))
      .digest()
      .copy(forged, forged.length - 32);
    expect(await w.refusal('decrypt-data', { cipher_text: forged.toString('base64') })).toBe('KMS.2201');
  });

  it('ends when its time has come: the key is pending import again, at once, and takes the same material', async () => {
    const bytes = randomBytes(32);
    const seconds = Math.floor(Date.now() / 1000) + 4;
    const keyId = await imported(w, bytes, { expiration_time: String(seconds) });
    const { key_info } = await w.ok('describe-key', { key_id: keyId });
    expect(key_info.expiration_time).toBe(`${seconds}000`);
    await until(async () => (await w.state(keyId)) === PENDING, 20_000);
    expect(Date.now() / 1000).toBeGreaterThanOrEqual(seconds);
    expect(await w.refusal('encrypt-data', { key_id: keyId, plain_text: 'x' })).toBe('KMS.1301');
    await w.ok('import-key-material', importBody(keyId, await parametersFor(w, keyId), bytes));
    await roundTrip(keyId);
  });

  it('is imported again with the parameters of before, as long as they hold', async () => {
    const keyId = await w.newCmk({ origin: 'external' });
    const given = await parametersFor(w, keyId);
    const body = importBody(keyId, given, randomBytes(32));
    for (let time = 0; time < 2; time += 1) {
      await w.ok('import-key-material', body);
      await w.ok('delete-imported-key-material', { key_id: keyId });
    }
    expect(await w.state(keyId)).toBe(PENDING);
  });
});

describe('private keys', () => {
  const SIGNING: Readonly<Record<Spec, readonly string[]>> = {
    RSA_2048: ['RSASSA_PKCS1_V1_5_SHA_256', 'RSASSA_PSS_SHA_256', 'RSASSA_PSS_SHA_512'],
    RSA_3072: ['RSASSA_PKCS1_V1_5_SHA_384', 'RSASSA_PSS_SHA_384'],
    RSA_4096: ['RSASSA_PKCS1_V1_5_SHA_512', 'RSASSA_PSS_SHA_256'],
    EC_P256: ['ECDSA_SHA_256'],
    EC_P384: ['ECDSA_SHA_384'],
  };

  it.each(Object.keys(SIGNING) as Spec[])(
    'of %s sign inside the token, and OpenSSL verifies',
    async (spec) => {
      const { keyId, publicKey } = await importedPair(w, spec);
      const { key_info } = await w.ok('describe-key', { key_id: keyId });
      expect(key_info).toMatchObject({ key_spec: spec, key_usage: 'SIGN_VERIFY', key_state: ENABLED });
      const { public_key } = await w.ok('get-publickey', { key_id: keyId });
      expect(public_key).toBe(publicKey.export({ type: 'spki', format: 'pem' }));
      for (const signing_algorithm of SIGNING[spec]) {
        const message = randomBytes(100);
        const digest = createHash(`sha${signing_algorithm.slice(-3)}`)
          .update(message)
          .digest();
        const asked = { key_id: keyId, signing_algorithm, message: digest.toString('base64') };
        const { signature } = await w.ok('sign', asked);
        expect(await verifiedByOpenssl(public_key, signing_algorithm, digest, signature)).toBe(
          'Signature Verified Successfully',
        );
        const raw = { ...asked, message: message.toString('base64'), message_type: 'RAW' };
        expect(await w.ok('verify', { ...raw, signature })).toEqual({ key_id: keyId, signature_valid: 'true' });
        const other = { ...asked, message: randomBytes(digest.length).toString('base64') };
        expect((await w.ok('verify', { ...other, signature })).signature_valid).toBe('false');
      }
    },
    120_000,
  );

  it('come under a temporary key of 16 bytes too', async () => {
    const keyId = await w.newCmk({ origin: 'external', key_spec: 'EC_P256' });
    const given = await parametersFor(w, keyId);
    const body = privateImportBody(keyId, given, newPair('EC_P256').privateKey, randomBytes(16));
    await w.ok('import-key-material', body);
    expect(await w.state(keyId)).toBe(ENABLED);
  });

  it('never expire and are not deleted; the key is', async () => {
    const keyId = await w.newCmk({ origin: 'external', key_spec: 'EC_P384' });
    const body = privateImportBody(keyId, await parametersFor(w, keyId), newPair('EC_P384').privateKey);
    await w.ok('import-key-material', { ...body, expiration_time: Math.floor(Date.now() / 1000) + 60 });
    expect((await w.ok('describe-key', { key_id: keyId })).key_info.expiration_time).toBe('');
    expect(await w.refusal('delete-imported-key-material', { key_id: keyId })).toBe('KMS.2702');
    expect((await w.ok('schedule-key-deletion', { key_id: keyId, pending_days: '7' })).key_state).toBe('4');
  });

  async function verifiedByOpenssl(pem: string, algorithm: string, digest: Buffer, signature: string): Promise<string> {
    const file = (name: string, bytes: string | Buffer) => {
      const path = join(w.world.files, name);
      writeFileSync(path, bytes);
      return path;
    };
    const hash = ['-pkeyopt', `digest:sha${algorithm.slice(-3)}`];
    const pss = ['-pkeyopt', 'rsa_padding_mode:pss', '-pkeyopt', 'rsa_pss_saltlen:digest'];
    const options = [...hash, ...(algorithm.includes('PSS') ? pss : [])];
    const args = ['-verify', '-pubin', '-inkey', file('key.pem', pem), '-in', file('digest.bin', digest), ...options];
    const sigfile = file('signature.bin', Buffer.from(signature, 'base64'));
    return (await run('openssl', ['pkeyutl', ...args, '-sigfile', sigfile])).stdout.trim();
  }
});

describe('an import is refused', () => {
  let pending: string;
  // biome-ignore lint/suspicious/noExplicitAny: as the server answered
  let given: any;
  const attempt = (body: object) => w.refusal('import-key-material', body);
  beforeEach(async () => {
    pending = await w.newCmk({ origin: 'external' });
    given = await parametersFor(w, pending);
  });

  it('when it was encrypted with another hash', async () => {
    const sha1 = importBody(pending, given, randomBytes(32), 'RSAES_OAEP_SHA_1');
    expect(await attempt(sha1)).toBe('KMS.0311');
  });

  it('when it has 16 bytes', async () => {
    expect(await attempt(importBody(pending, given, randomBytes(16)))).toBe('KMS.2604');
  });

  it('when it would have ended already', async () => {
    const body = importBody(pending, given, randomBytes(32));
    expect(await attempt({ ...body, expiration_time: 1_546_272_000 })).toBe('KMS.2602');
  });

  it('while the key is enabled, and while its deletion is scheduled', async () => {
    const body = importBody(pending, given, randomBytes(32));
    await w.ok('import-key-material', body);
    expect(await attempt(body)).toBe('KMS.0310');
    await w.ok('schedule-key-deletion', { key_id: pending, pending_days: 7 });
    expect(await attempt(body)).toBe('KMS.0310');
  });

  it('with the parameters of another key', async () => {
    const other = await parametersFor(w, await w.newCmk({ origin: 'external' }));
    expect(await attempt(importBody(pending, other, randomBytes(32)))).toBe('KMS.2603');
  });

  it('with a token that was changed', async () => {
    const body = importBody(pending, given, randomBytes(32));
    const token = Buffer.from(body.import_token, 'base64');
    token.writeUInt8(token.readUInt8(token.length - 1) ^ 1, token.length - 1);
    expect(await attempt({ ...body, import_token: token.toString('base64') })).toBe('KMS.2605');
  });

  it('with the public key of one set of parameters and the token of another', async () => {
    const other = await parametersFor(w, pending);
    const body = { ...importBody(pending, other, randomBytes(32)), import_token: given.import_token };
    expect(await attempt(body)).toBe('KMS.0311');
  });

  it('for a key whose material is not imported, and for one that is not there', async () => {
    const body = importBody(pending, given, randomBytes(32));
    expect(await attempt({ ...body, key_id: await w.newCmk() })).toBe('KMS.0309');
    expect(await attempt({ ...body, key_id: '0d0466b0-e727-4d9c-b35d-f84bb474a37f' })).toBe('KMS.0207');
    expect(await attempt({ ...body, key_id: 'not-an-id' })).toBe('KMS.0205');
  });

  it('when a field does not look as it should, but not before the key was looked at', async () => {
    const bad = { key_id: pending, import_token: 'short', encrypted_key_material: 'short' };
    expect(await attempt(bad)).toBe('KMS.0308');
    expect(await attempt({ ...bad, key_id: await w.newCmk() })).toBe('KMS.0309');
  });

  it('when the private key of an asymmetric key is missing, or is none', async () => {
    const keyId = await w.newCmk({ origin: 'external', key_spec: 'RSA_2048' });
    const params = await parametersFor(w, keyId);
    const { privateKey } = newPair('RSA_2048');
    const { encrypted_privatekey: _, ...without } = privateImportBody(keyId, params, privateKey);
    expect(await attempt(without)).toBe('KMS.2608');
    const noise = randomBytes(1224).toString('base64');
    expect(await attempt({ ...without, encrypted_privatekey: noise })).toBe('KMS.2609');
    const temporary = randomBytes(32);
    const notPkcs8 = keyWrapped(temporary, randomBytes(1200)).toString('base64');
    expect(await attempt({ ...importBody(keyId, params, temporary), encrypted_privatekey: notPkcs8 })).toBe('KMS.2609');
  });

  it.each<[Spec, Spec]>([
    ['RSA_2048', 'RSA_3072'],
    ['RSA_4096', 'EC_P256'],
    ['EC_P256', 'EC_P384'],
    ['EC_P384', 'RSA_2048'],
  ])('when the key is of %s and the private key of %s', async (spec, other) => {
    const keyId = await w.newCmk({ origin: 'external', key_spec: spec });
    const body = privateImportBody(keyId, await parametersFor(w, keyId), newPair(other).privateKey);
    expect(await attempt(body)).toBe('KMS.2609');
  });

  it('when the temporary key has another length than 16 or 32 bytes', async () => {
    const keyId = await w.newCmk({ origin: 'external', key_spec: 'EC_P256' });
    const params = await parametersFor(w, keyId);
    for (const bytes of [15, 24]) {
      const body = privateImportBody(keyId, params, newPair('EC_P256').privateKey, randomBytes(bytes));
      expect(await attempt(body)).toBe('KMS.2610');
    }
  });

  it('when another private key was there before', async () => {
    const { keyId } = await importedPair(w, 'EC_P256');
    const body = privateImportBody(keyId, await parametersFor(w, keyId), newPair('EC_P256').privateKey);
    expect(await attempt(body)).toBe('KMS.0310'); // private keys are not deleted, so none can be pending twice
  });

  it('when its parameters are for another algorithm than the vendor has', async () => {
    const asked = { key_id: pending, wrapping_algorithm: 'SM2_ENCRYPT' };
    expect(await w.refusal('get-parameters-for-import', asked)).toBe('KMS.0308');
    const generated = { key_id: await w.newCmk(), wrapping_algorithm: 'RSAES_OAEP_SHA_256' };
    expect(await w.refusal('get-parameters-for-import', generated)).toBe('KMS.0309');
    expect(wrapped(given, randomBytes(32))).toHaveLength(344);
  });
});
