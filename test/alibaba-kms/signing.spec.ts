import { createHash, createVerify, type KeyObject, randomBytes, randomUUID, sign } from 'node:crypto';
import { HuaweiWorld } from '../huawei-kms/huawei-world.js';
import { importedPair, type Spec } from '../huawei-kms/material.js';
import { AlibabaWorld } from './alibaba-world.js';

let huawei: HuaweiWorld;
let w: AlibabaWorld;
beforeAll(async () => {
  huawei = await HuaweiWorld.start();
  w = await AlibabaWorld.of(huawei.world);
}, 180_000);
afterAll(() => huawei?.end(), 30_000);

const MESSAGE = randomBytes(1000);
const Digest = createHash('sha256').update(MESSAGE).digest('base64');

describe.each([
  ['RSA_2048', 'RSA_PSS_SHA_256', { padding: 6, saltLength: 32 }],
  ['RSA_2048', 'RSA_PKCS1_SHA_256', {}],
  ['EC_P256', 'ECDSA_SHA_256', {}],
] as const)('a %s key that was imported through another API, with %s', (KeySpec, Algorithm, options) => {
  let KeyId: string;
  let KeyVersionId: string;
  let publicKey: KeyObject;
  let privateKey: KeyObject;
  beforeAll(async () => {
    const made = await importedPair(huawei, KeySpec as Spec);
    ({ keyId: KeyId, publicKey, privateKey } = made);
    const { KeyMetadata } = await w.ask('DescribeKey', { KeyId });
    expect(KeyMetadata).toMatchObject({ KeySpec, KeyUsage: 'SIGN/VERIFY', Origin: 'EXTERNAL', KeyState: 'Enabled' });
    KeyVersionId = KeyMetadata.PrimaryKeyVersion;
  }, 60_000);

  it('shows its public key', async () => {
    const { PublicKey } = await w.ask('GetPublicKey', { KeyId, KeyVersionId });
    expect(PublicKey).toBe(publicKey.export({ type: 'spki', format: 'pem' }));
  });

  it('signs what others verify', async () => {
    const { Value } = await w.ask('AsymmetricSign', { KeyId, KeyVersionId, Algorithm, Digest });
    const verify = createVerify('sha256').update(MESSAGE);
    expect(verify.verify({ key: publicKey, ...options }, Buffer.from(Value, 'base64'))).toBe(true);
  });

  it('verifies what others signed, and nothing else', async () => {
    const asked = { KeyId, KeyVersionId, Algorithm, Digest };
    const Value = sign('sha256', MESSAGE, { key: privateKey, ...options }).toString('base64');
    expect((await w.ask('AsymmetricVerify', { ...asked, Value })).Value).toBe(true);
    const other = sign('sha256', randomBytes(9), { key: privateKey, ...options }).toString('base64');
    expect((await w.ask('AsymmetricVerify', { ...asked, Value: other })).Value).toBe(false);
  });

  it('has the version that it has, and does not encrypt', async () => {
    const asked = { KeyId, KeyVersionId: randomUUID(), Algorithm, Digest };
    expect(await w.refused('AsymmetricSign', asked)).toMatchObject({
      status: 404,
      code: 'Forbidden.KeyVersionNotFound',
    });
    const encryption = await w.refused('Encrypt', { KeyId, Plaintext: 'AAAA' });
    expect(encryption).toMatchObject({ status: 400, code: 'UnsupportedOperation' });
  });

  it('is found by what it is', async () => {
    const Filters = JSON.stringify([
      { Key: 'KeySpec', Values: [KeySpec] },
      { Key: 'KeyUsage', Values: ['SIGN/VERIFY'] },
    ]);
    const { Keys } = await w.ask('ListKeys', { Filters, PageSize: 100 });
    expect(Keys.Key).toContainEqual({ KeyId, KeyArn: `acs:kms:local:${w.world.instance}:key/${KeyId}` });
  });

  it('takes a digest of its length only', async () => {
    const asked = { KeyId, KeyVersionId, Algorithm, Digest: 'AAAA' };
    expect(await w.refused('AsymmetricSign', asked)).toMatchObject({ status: 400, code: 'InvalidParameter' });
  });
});
