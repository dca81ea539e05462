import { randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import { blobIn, blobText } from '../../src/dialects/alibaba-kms/blob.js';
import { until } from '../until.js';
import { AlibabaWorld, type Got, type Refusal, wrapped } from './alibaba-world.js';

const MATERIAL = randomBytes(32);
const Plaintext = Buffer.from('x').toString('base64');

let w: AlibabaWorld;
let generated: string;
beforeAll(async () => {
  w = await AlibabaWorld.start();
  generated = await w.createKey({});
}, 180_000);
afterAll(() => w?.end(), 30_000);

const importing = (given: Record<string, string>) => w.refused('ImportKeyMaterial', given);

describe('imports', () => {
  it('parameters for a key that is not external', async () => {
    const asked = { KeyId: generated, WrappingKeySpec: 'RSA_2048', WrappingAlgorithm: 'RSAES_OAEP_SHA_1' };
    expect(await w.refused('GetParametersForImport', asked)).toMatchObject({ status: 400, code: 'Unsupported.Origin' });
  });

  it('material for a key that is not external', async () => {
    const given = { ...(await w.importOf(await w.createKey(), MATERIAL)), KeyId: generated };
    expect(await importing(given)).toMatchObject({ status: 400, code: 'Unsupported.Origin' });
    expect(await w.refused('DeleteKeyMaterial', { KeyId: generated })).toMatchObject({ code: 'Unsupported.Origin' });
  });

  it('the token of another key', async () => {
    const [one, other] = [await w.createKey(), await w.createKey()];
    const given = { ...(await w.importOf(one, MATERIAL)), KeyId: other };
    expect(await importing(given)).toMatchObject({ status: 400, code: 'InvalidImportToken' });
  });

  it.each(['AAAA', '*', Buffer.alloc(160).toString('base64')])('no token: %j', async (ImportToken) => {
    const key = await w.createKey();
    const given = { ...(await w.importOf(key, MATERIAL)), ImportToken };
    expect(await importing(given)).toEqual({
      status: 400,
      code: 'InvalidImportToken',
      message: 'import token is invalid.',
    });
  });

  it('a token with the public key of another set', async () => {
    const key = await w.createKey();
    const [one, other] = [await w.parametersFor(key), await w.parametersFor(key)];
    expect(other.PublicKey).not.toBe(one.PublicKey);
    expect(other.ImportToken).not.toBe(one.ImportToken);
    const EncryptedKeyMaterial = wrapped(MATERIAL, other.PublicKey, 'RSAES_OAEP_SHA_256');
    expect(await importing({ KeyId: key, ImportToken: one.ImportToken, EncryptedKeyMaterial })).toEqual({
      status: 400,
      code: 'InvalidKeyMaterial',
      message: 'key material is invalid.',
    });
  });

  it('another OAEP hash', async () => {
    const key = await w.createKey();
    const { PublicKey, ImportToken } = await w.parametersFor(key, 'RSAES_OAEP_SHA_256');
    const EncryptedKeyMaterial = wrapped(MATERIAL, PublicKey, 'RSAES_OAEP_SHA_1');
    expect(await importing({ KeyId: key, ImportToken, EncryptedKeyMaterial })).toMatchObject({
      code: 'InvalidKeyMaterial',
    });
  });

  it('material of 16 bytes', async () => {
    const given = await w.importOf(await w.createKey(), randomBytes(16));
    expect(await importing(given)).toMatchObject({ status: 400, code: 'InvalidKeyMaterial' });
  });

  it('an expiry that is past', async () => {
    const key = await w.createKey();
    const given = { ...(await w.importOf(key, MATERIAL)), KeyMaterialExpireUnix: '1546272000' };
    expect(await importing(given)).toEqual({
      status: 400,
      code: 'InvalidParameter',
      message: 'The specified parameter "KeyMaterialExpireUnix" is not valid.',
    });
    expect(await w.stateOf(key)).toBe('PendingImport');
  });

  it('other material than the first, also after that was deleted; the same is taken again, with the same token too', async () => {
    const key = await w.createKey();
    const given = await w.importOf(key, MATERIAL);
    await w.ask('ImportKeyMaterial', given);
    await w.ask('ImportKeyMaterial', given);
    const { CiphertextBlob } = await w.ask('Encrypt', { KeyId: key, Plaintext });
    expect(await importing(await w.importOf(key, randomBytes(32)))).toMatchObject({ code: 'InvalidKeyMaterial' });
    await w.ask('DeleteKeyMaterial', { KeyId: key });
    expect(await w.refused('Encrypt', { KeyId: key, Plaintext })).toMatchObject({
      status: 409,
      code: 'Rejected.PendingImport',
    });
    expect(await importing(await w.importOf(key, randomBytes(32)))).toMatchObject({ code: 'InvalidKeyMaterial' });
    expect(await w.stateOf(key)).toBe('PendingImport');
    await w.ask('ImportKeyMaterial', given);
    expect((await w.ask('Decrypt', { CiphertextBlob })).Plaintext).toBe(Plaintext);
  });
});

describe('ciphertexts', () => {
  let key: string;
  let other: string;
  let blob: string;
  beforeAll(async () => {
    key = await w.keyWith(MATERIAL);
    other = await w.keyWith(MATERIAL);
    blob = (await w.ask('Encrypt', { KeyId: key, Plaintext, EncryptionContext: '{"a":"1"}' })).CiphertextBlob;
  });
  const context = { EncryptionContext: '{"a":"1"}' };
  const INVALID: Refusal = {
    status: 400,
    code: 'InvalidParameter',
    message: 'The specified parameter "CiphertextBlob" is not valid.',
  };

  it('of one key do not open under another one that has the same material', async () => {
    const theirs = (await w.ask('Encrypt', { KeyId: other, Plaintext, ...context })).CiphertextBlob;
    const { sealed } = blobIn(blob) as NonNullable<ReturnType<typeof blobIn>>;
    const { keyId, versionId } = blobIn(theirs) as NonNullable<ReturnType<typeof blobIn>>;
    expect(keyId).toBe(other);
    const forged = blobText({ keyId, versionId, sealed });
    expect(await w.refused('Decrypt', { CiphertextBlob: forged, ...context })).toEqual(INVALID);
    expect((await w.ask('Decrypt', { CiphertextBlob: blob, ...context })).Plaintext).toBe(Plaintext);
  });

  it.each([
    ['no context', {}],
    ['another context', { EncryptionContext: '{"a":"2"}' }],
    ['names and values the other way round', { EncryptionContext: '{"1":"a"}' }],
    ['more context', { EncryptionContext: '{"a":"1","b":"2"}' }],
  ])('do not open with %s', async (_what, given) => {
    expect(await w.refused('Decrypt', { CiphertextBlob: blob, ...given })).toEqual(INVALID);
  });

  it.each([0, 40, 60, 70, -1])('do not open when byte %i is changed', async (at) => {
    const bytes = Buffer.from(blob, 'base64');
    const index = (at + bytes.length) % bytes.length;
    bytes[index] = (bytes[index] as number) ^ (at === 0 ? 0x80 : 1);
    const refused = await w.refused('Decrypt', { CiphertextBlob: bytes.toString('base64'), ...context });
    expect(at === 40 ? refused.code : refused).toEqual(at === 40 ? 'Forbidden.KeyNotFound' : INVALID);
  });

  it('of another version are not opened', async () => {
    const parts = blobIn(blob) as NonNullable<ReturnType<typeof blobIn>>;
    const CiphertextBlob = blobText({ ...parts, versionId: randomUUID() });
    expect(await w.refused('Decrypt', { CiphertextBlob, ...context })).toEqual(INVALID);
  });

  it('are re-encrypted with the context they have only', async () => {
    const asked = { CiphertextBlob: blob, DestinationKeyId: other };
    expect(await w.refused('ReEncrypt', asked)).toEqual(INVALID);
    const { CiphertextBlob } = await w.ask('ReEncrypt', { ...asked, SourceEncryptionContext: '{"a":"1"}' });
    expect(await w.refused('Decrypt', { CiphertextBlob, ...context })).toEqual(INVALID);
    expect(await w.ask('Decrypt', { CiphertextBlob })).toMatchObject({ Plaintext, KeyId: other });
  });
});

describe('parameters', () => {
  const missing = (name: string) => [400, 'MissingParameter', `The parameter "${name}" is needed but not provided.`];
  const invalid = (name: string) => [400, 'InvalidParameter', expect.stringContaining(`"${name}" is not valid.`)];
  const long = Buffer.alloc(6_145).toString('base64');
  const CASES: readonly (readonly [action: string, given: Record<string, string>, answer: unknown[]])[] = [
    ['DescribeKey', {}, missing('KeyId')],
    ['DescribeKey', { KeyId: '' }, missing('KeyId')],
    ['Encrypt', { KeyId: 'K' }, missing('Plaintext')],
    ['Encrypt', { KeyId: 'K', Plaintext: '*' }, invalid('Plaintext')],
    ['Encrypt', { KeyId: 'K', Plaintext: long }, invalid('Plaintext')],
    ['Encrypt', { KeyId: 'K', Plaintext, EncryptionContext: '{"a":1}' }, invalid('EncryptionContext')],
    ['Decrypt', { CiphertextBlob: 'AAAA' }, invalid('CiphertextBlob')],
    ['GenerateDataKey', { KeyId: 'K', NumberOfBytes: '0' }, invalid('NumberOfBytes')],
    ['GenerateDataKey', { KeyId: 'K', NumberOfBytes: '1025' }, invalid('NumberOfBytes')],
    ['GenerateDataKey', { KeyId: 'K', KeySpec: 'AES_512' }, invalid('KeySpec')],
    ['ListKeys', { PageSize: '101' }, invalid('PageSize')],
    ['ListKeys', { PageNumber: '0' }, invalid('PageNumber')],
    ['ListKeys', { Filters: '{}' }, invalid('Filters')],
    ['ListKeys', { Filters: '[{"Key":"KeyState","Values":["Lost"]}]' }, invalid('Filters')],
    ['CreateKey', { Origin: 'External' }, invalid('Origin')],
    ['CreateKey', { KeySpec: 'AES_256' }, invalid('KeySpec')],
    ['CreateKey', { KeyUsage: 'SIGN/VERIFY' }, invalid('KeyUsage')],
    ['CreateKey', { Description: 'x'.repeat(8_193) }, invalid('Description')],
    ['CreateKey', { EnableAutomaticRotation: 'true' }, missing('RotationInterval')],
    ['CreateKey', { EnableAutomaticRotation: 'true', RotationInterval: '6d' }, invalid('RotationInterval')],
    [
      'CreateKey',
      { Origin: 'EXTERNAL', EnableAutomaticRotation: 'true', RotationInterval: '7d' },
      invalid('EnableAutomaticRotation'),
    ],
    ['CreateKey', { Tags: '[{"TagKey":1}]' }, invalid('Tags')],
    ['ScheduleKeyDeletion', { KeyId: 'K' }, missing('PendingWindowInDays')],
    ['ScheduleKeyDeletion', { KeyId: 'K', PendingWindowInDays: '6' }, invalid('PendingWindowInDays')],
    ['ScheduleKeyDeletion', { KeyId: 'K', PendingWindowInDays: '367' }, invalid('PendingWindowInDays')],
    ['GetParametersForImport', { KeyId: 'K', WrappingAlgorithm: 'RSAES_OAEP_SHA_1' }, missing('WrappingKeySpec')],
    [
      'GetParametersForImport',
      { KeyId: 'K', WrappingKeySpec: 'EC_SM2', WrappingAlgorithm: 'SM2PKE' },
      invalid('WrappingKeySpec'),
    ],
    [
      'GetParametersForImport',
      { KeyId: 'K', WrappingKeySpec: 'RSA_2048', WrappingAlgorithm: 'RSA' },
      invalid('WrappingAlgorithm'),
    ],
    ['ImportKeyMaterial', { KeyId: 'K', ImportToken: 'AAAA' }, missing('EncryptedKeyMaterial')],
    [
      'ImportKeyMaterial',
      { KeyId: 'K', ImportToken: 'AAAA', EncryptedKeyMaterial: 'AAAA', KeyMaterialExpireUnix: 'soon' },
      invalid('KeyMaterialExpireUnix'),
    ],
    ['CreateAlias', { KeyId: 'K', AliasName: 'name' }, invalid('AliasName')],
    ['CreateAlias', { KeyId: 'K', AliasName: 'alias/acs/kms' }, invalid('AliasName')],
    ['UpdateRotationPolicy', { KeyId: 'K' }, missing('EnableAutomaticRotation')],
    ['TagResource', { KeyId: 'K', Tags: '[]' }, invalid('Tags')],
    ['TagResources', { ResourceType: 'key', 'Tag.1.Key': 'a' }, missing('ResourceId')],
    ['TagResources', { ResourceType: 'secret', 'ResourceId.1': 'K', 'Tag.1.Key': 'a' }, invalid('ResourceType')],
  ];
  it.each(CASES)('%s %j', async (action, given, answer) => {
    const named = Object.entries(given).map(([name, value]) => [name, value === 'K' ? generated : value]);
    const { status, code, message } = await w.refused(action, Object.fromEntries(named));
    expect([status, code, message]).toEqual(answer);
  });
});

describe('names', () => {
  it.each(['DescribeKey', 'EnableKey', 'ListKeyVersions', 'DeleteKeyMaterial'])('%s of no key', async (action) => {
    for (const KeyId of [randomUUID(), 'shoe', `acs:kms:local:1:key/${randomUUID()}`]) {
      expect(await w.refused(action, { KeyId })).toMatchObject({ status: 404, code: 'Forbidden.KeyNotFound' });
    }
  });

  it('an alias that no key has', async () => {
    for (const action of ['DescribeKey', 'GenerateDataKey']) {
      expect(await w.refused(action, { KeyId: 'alias/none' })).toMatchObject({
        status: 404,
        code: 'Forbidden.AliasNotFound',
      });
    }
    expect(await w.refused('DeleteAlias', { AliasName: 'alias/none' })).toMatchObject({
      code: 'Forbidden.AliasNotFound',
    });
    const moved = { KeyId: generated, AliasName: 'alias/none' };
    expect(await w.refused('UpdateAlias', moved)).toMatchObject({ status: 404, code: 'Forbidden.AliasNotFound' });
  });

  it('an alias where an id is wanted', async () => {
    await w.ask('CreateAlias', { KeyId: generated, AliasName: 'alias/team/billing' });
    expect((await w.ask('DescribeKey', { KeyId: 'alias/team/billing' })).KeyMetadata.KeyId).toBe(generated);
    const asked = { KeyId: 'alias/team/billing', WrappingKeySpec: 'RSA_2048', WrappingAlgorithm: 'RSAES_OAEP_SHA_1' };
    expect(await w.refused('GetParametersForImport', asked)).toMatchObject({ status: 400, code: 'Unsupported.Alias' });
    const again = { KeyId: await w.createKey({}), AliasName: 'alias/team/billing' };
    expect(await w.refused('CreateAlias', again)).toMatchObject({ status: 400, code: 'AliasAlreadyExists' });
    await w.ask('UpdateAlias', again);
    expect((await w.ask('DescribeKey', { KeyId: 'alias/team/billing' })).KeyMetadata.KeyId).toBe(again.KeyId);
    const { Aliases } = await w.ask('ListAliasesByKeyId', { KeyId: again.KeyId });
    expect(Aliases.Alias).toEqual([
      {
        KeyId: again.KeyId,
        AliasName: 'alias/team/billing',
        AliasArn: `acs:kms:local:${w.world.instance}:alias/team/billing`,
      },
    ]);
  });

  it('a version that is not there', async () => {
    const asked = { KeyId: generated, KeyVersionId: randomUUID() };
    expect(await w.refused('DescribeKeyVersion', asked)).toMatchObject({
      status: 404,
      code: 'Forbidden.KeyVersionNotFound',
    });
  });
});

describe('operations', () => {
  it.each([
    ['CreateKey', { KeySpec: 'RSA_2048', Origin: 'EXTERNAL' }],
    ['CreateKey', { KeySpec: 'EC_P256' }],
    ['GetPublicKey', { KeyId: 'K', KeyVersionId: 'v' }],
    [
      'AsymmetricSign',
      { KeyId: 'K', KeyVersionId: 'v', Algorithm: 'ECDSA_SHA_256', Digest: randomBytes(32).toString('base64') },
    ],
  ])('%s %j is not supported', async (action, given) => {
    const named = Object.entries(given).map(([name, value]) => [name, value === 'K' ? generated : value]);
    const refused = await w.refused(action, Object.fromEntries(named));
    expect(refused).toMatchObject({ status: 400, code: 'UnsupportedOperation' });
  });

  it('an external key has one version, and does not rotate', async () => {
    const KeyId = await w.keyWith(MATERIAL);
    expect((await w.ask('ListKeyVersions', { KeyId })).TotalCount).toBe(1);
    expect(await w.refused('CreateKeyVersion', { KeyId })).toMatchObject({ code: 'Unsupported.Origin' });
    const policy = { KeyId, EnableAutomaticRotation: 'true', RotationInterval: '30d' };
    expect(await w.refused('UpdateRotationPolicy', policy)).toMatchObject({ code: 'Unsupported.Origin' });
  });

  it('a generated key rotates, and what its earlier version encrypted still opens', async () => {
    const KeyId = await w.createKey({ EnableAutomaticRotation: 'true', RotationInterval: '720h' });
    const { KeyMetadata } = await w.ask('DescribeKey', { KeyId });
    expect(KeyMetadata).toMatchObject({ AutomaticRotation: 'Enabled', RotationInterval: '2592000s' });
    const { CiphertextBlob } = await w.ask('Encrypt', { KeyId, Plaintext });
    const { KeyVersion } = await w.ask('CreateKeyVersion', { KeyId });
    expect((await w.ask('Encrypt', { KeyId, Plaintext })).KeyVersionId).toBe(KeyVersion.KeyVersionId);
    expect(await w.ask('Decrypt', { CiphertextBlob })).toMatchObject({
      Plaintext,
      KeyVersionId: KeyMetadata.PrimaryKeyVersion,
    });
    expect(await w.refused('CreateKeyVersion', { KeyId })).toMatchObject({
      status: 400,
      code: 'Rejected.LimitExceeded',
    });
    await w.ask('UpdateRotationPolicy', { KeyId, EnableAutomaticRotation: 'false' });
    expect((await w.ask('DescribeKey', { KeyId })).KeyMetadata).not.toHaveProperty('RotationInterval');
  });

  it('tags: up to twenty, of several keys at once, and found again', async () => {
    const [one, two] = [await w.createKey({}), await w.createKey({})];
    const both = { ResourceType: 'key', 'ResourceId.1': one, 'ResourceId.2': two };
    await w.ask('TagResources', { ...both, 'Tag.1.Key': 'team', 'Tag.1.Value': 'billing', 'Tag.2.Key': 'bare' });
    const tagged = await w.ask('ListTagResources', {
      ResourceType: 'key',
      'Tag.1.Key': 'team',
      'Tag.1.Value': 'billing',
    });
    const row = (ResourceId: string) => ({ ResourceId, ResourceType: 'key', TagKey: 'team', TagValue: 'billing' });
    expect(tagged.TagResources.TagResource).toEqual(expect.arrayContaining([row(one), row(two)]));
    expect(tagged.TagResources.TagResource).toHaveLength(2);
    const tags = Array.from({ length: 19 }, (_, n) => ({ TagKey: `n${n}`, TagValue: '' }));
    expect(await w.refused('TagResource', { KeyId: one, Tags: JSON.stringify(tags) })).toMatchObject({
      status: 400,
      code: 'Rejected.LimitExceeded',
    });
    await w.ask('UntagResources', { ...both, 'TagKey.1': 'team' });
    expect((await w.ask('ListResourceTags', { KeyId: two })).Tags.Tag).toEqual([
      { KeyId: two, TagKey: 'bare', TagValue: '' },
    ]);
    await w.ask('UntagResource', { KeyId: two, TagKeys: '["bare"]' });
    expect((await w.ask('ListResourceTags', { KeyId: two })).Tags.Tag).toEqual([]);
  });

  it('says where and in what state it is', async () => {
    expect((await w.ask('DescribeRegions')).Regions.Region).toEqual([{ RegionId: 'local' }]);
    expect((await w.ask('DescribeAccountKmsStatus')).AccountStatus).toBe('Enabled');
  });
});

describe('a dry run', () => {
  const dry = { DryRun: 'true' };

  it('says that the call would be served, and does nothing', async () => {
    const asked = { KeyId: generated, Plaintext, ...dry };
    expect(await w.refused('Encrypt', asked)).toMatchObject({ status: 400, code: 'DryRunOperationError' });
    expect(await w.refused('GenerateDataKey', { KeyId: generated, ...dry })).toMatchObject({
      code: 'DryRunOperationError',
    });
  });

  it('says that the parameters are not valid', async () => {
    expect(await w.refused('Encrypt', { KeyId: generated, ...dry })).toMatchObject({
      status: 400,
      code: 'ValidationError',
    });
  });

  it('says that the caller may not', async () => {
    const key = await w.anotherAccessKey('--role', 'KeyPurge');
    const { status, body } = await w.send('Encrypt', { KeyId: generated, Plaintext, ...dry }, { key });
    expect([status, body.Code]).toEqual([400, 'AccessDeniedError']);
  });

  it('says what the state of the key would be refused with', async () => {
    const KeyId = await w.createKey();
    expect(await w.refused('GenerateDataKey', { KeyId, ...dry })).toMatchObject({
      status: 409,
      code: 'Rejected.PendingImport',
    });
  });
});

describe('what Keystead stands on', () => {
  it('a key whose record was changed in the database is unavailable', async () => {
    const KeyId = await w.createKey({});
    const db = new pg.Client({ connectionString: w.world.databaseUrl });
    await db.connect();
    await db.query(
      `UPDATE "key_versions" SET "blob" = set_byte("blob", 0, 255 - get_byte("blob", 0)) WHERE "keyId" = $1`,
      [KeyId],
    );
    await db.end();
    expect(await w.refused('GenerateDataKey', { KeyId })).toMatchObject({ status: 409, code: 'Rejected.Unavailable' });
  });

  it('without a unit that serves, nobody is served, and clients are told to come again', async () => {
    let answer: Got | undefined;
    await until(async () => {
      for (const { id } of await w.world.units()) endAgent(w.world.agentPid(id)); // the server starts them again
      answer = await w.send('GenerateDataKey', { KeyId: generated });
      return answer.status !== 200;
    }, 10_000);
    expect([answer?.status, answer?.body.Code]).toEqual([503, 'ServiceUnavailableTemporary']);
    expect(Number(answer?.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});

/** Kills an agent of this world, unless it is gone already. */
function endAgent(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ESRCH') throw cause;
  }
}
