import { randomBytes } from 'node:crypto';
import { linesOfRequests } from '../audit/lines-of-requests.js';
import { until } from '../until.js';
import { AlibabaWorld } from './alibaba-world.js';

/** The states of Alibaba's keys, in the order of the table. */
const STATES = ['Enabled', 'Disabled', 'PendingDeletion', 'PendingImport'] as const;
type State = (typeof STATES)[number];

const S = 'served';
const SMF = 'Rejected.StateModifiedFailed';
const D = 'Rejected.Disabled';
const PD = 'Rejected.PendingDeletion';
const PI = 'Rejected.PendingImport';
const USE = [S, D, PD, PI] as const;
const READ = [S, S, S, S] as const;
const CHANGE = [S, S, PD, S] as const;
const SWITCH = [S, S, SMF, SMF] as const;

/** A key with what was made of it while it was enabled. */
interface Subject {
  readonly key: string;
  readonly blob: string;
  readonly version: string;
  readonly alias: string;
  readonly imports: Record<string, string>;
}
type Row = readonly [
  action: string,
  answers: readonly [string, string, string, string],
  parameters: (subject: Subject) => Record<string, string>,
  external: boolean,
];

const one = ({ key }: Subject) => ({ KeyId: key });
const Plaintext = Buffer.from('x').toString('base64');
const Tags = '[{"TagKey":"a","TagValue":"1"}]';

/** Which operation is served in which state (the vendor's documentation, "Key states"). */
const MATRIX: readonly Row[] = [
  ['Encrypt', USE, ({ key }) => ({ KeyId: key, Plaintext }), false],
  ['Decrypt', USE, ({ blob }) => ({ CiphertextBlob: blob }), false],
  ['GenerateDataKey', USE, one, false],
  ['GenerateDataKeyWithoutPlaintext', USE, one, false],
  ['ReEncrypt', USE, ({ blob }) => ({ CiphertextBlob: blob, DestinationKeyId: other }), false],
  ['DescribeKey', READ, one, false],
  ['ListKeys', READ, () => ({}), false],
  ['ListAliases', READ, () => ({}), false],
  ['ListAliasesByKeyId', READ, one, false],
  ['ListResourceTags', READ, one, false],
  ['ListKeyVersions', READ, one, false],
  ['DescribeKeyVersion', READ, ({ key, version }) => ({ KeyId: key, KeyVersionId: version }), false],
  ['DeleteAlias', READ, ({ alias }) => ({ AliasName: alias }), false],
  ['UpdateKeyDescription', CHANGE, ({ key }) => ({ KeyId: key, Description: 'another' }), false],
  ['TagResource', CHANGE, ({ key }) => ({ KeyId: key, Tags }), false],
  ['UntagResource', CHANGE, ({ key }) => ({ KeyId: key, TagKeys: '["a"]' }), false],
  ['EnableKey', SWITCH, one, false],
  ['DisableKey', SWITCH, one, false],
  ['ScheduleKeyDeletion', [S, S, SMF, S], ({ key }) => ({ KeyId: key, PendingWindowInDays: '7' }), false],
  ['CancelKeyDeletion', [SMF, SMF, S, SMF], one, false],
  ['CreateAlias', [S, S, SMF, S], ({ key, alias }) => ({ KeyId: key, AliasName: `${alias}-new` }), false],
  ['UpdateAlias', CHANGE, ({ key, alias }) => ({ KeyId: key, AliasName: `${alias}-of-another` }), false],
  ['GetParametersForImport', READ, importParameters, true],
  ['ImportKeyMaterial', [S, S, SMF, S], ({ imports }) => imports, true],
  ['DeleteKeyMaterial', READ, one, true],
];

function importParameters({ key }: Subject): Record<string, string> {
  return { KeyId: key, WrappingKeySpec: 'RSA_2048', WrappingAlgorithm: 'RSAES_OAEP_SHA_256' };
}

let w: AlibabaWorld;
let other: string;
let count = 0;
beforeAll(async () => {
  w = await AlibabaWorld.start({ KEYSTEAD_LIMIT_KEYS: '0' });
  other = await w.createKey({});
}, 180_000);
afterAll(() => w?.end(), 30_000);

/** A key in the state; one that can be pending import is external. */
async function subjectIn(state: State, action: string, external: boolean): Promise<Subject> {
  count += 1;
  const material = randomBytes(32);
  const key = external || state === 'PendingImport' ? await w.keyWith(material) : await w.createKey({});
  const { CiphertextBlob: blob, KeyVersionId: version } = await w.ask('Encrypt', { KeyId: key, Plaintext });
  const alias = `alias/of-key-${count}`;
  await w.ask('CreateAlias', { KeyId: key, AliasName: alias });
  const imports = action === 'ImportKeyMaterial' ? await w.importOf(key, material) : {};
  if (action === 'UpdateAlias') await w.ask('CreateAlias', { KeyId: other, AliasName: `${alias}-of-another` });
  if (state === 'Disabled') await w.ask('DisableKey', { KeyId: key });
  if (state === 'PendingDeletion') await w.ask('ScheduleKeyDeletion', { KeyId: key, PendingWindowInDays: '7' });
  if (state === 'PendingImport') await w.ask('DeleteKeyMaterial', { KeyId: key });
  expect(await w.stateOf(key)).toBe(state);
  return { key, blob, version, alias, imports };
}

describe.each(MATRIX)('%s', (action, answers, parameters, external) => {
  it.each(STATES.map((state, at) => [state, answers[at] as string] as const))(
    'when %s: %s',
    async (state, expected) => {
      const subject = await subjectIn(state, action, external);
      const { status, body } = await w.send(action, parameters(subject));
      expect(body.Code ?? S).toBe(expected);
      expect(status).toBe(expected === S ? 200 : 409);
    },
  );
});

it('knows nothing about a key that was deleted with another API, whatever is asked of it', async () => {
  const key = await w.createKey({});
  const gone = await w.world.api('DELETE', `/api/v2/keys/${key}`, undefined, { 'bluemix-instance': w.world.instance });
  expect(gone.status).toBe(204);
  for (const action of ['DescribeKey', 'EnableKey', 'GenerateDataKey', 'DisableKey']) {
    expect(await w.refused(action, { KeyId: key })).toMatchObject({ status: 404, code: 'Forbidden.KeyNotFound' });
  }
});

describe('after the act', () => {
  const state = (key: string) => w.stateOf(key);

  it('a deletion that is cancelled leaves the key enabled, or pending import when its material is gone', async () => {
    const key = await w.keyWith(randomBytes(32));
    await w.ask('DisableKey', { KeyId: key });
    await w.ask('ScheduleKeyDeletion', { KeyId: key, PendingWindowInDays: '366' });
    const { DeleteDate } = (await w.ask('DescribeKey', { KeyId: key })).KeyMetadata;
    expect(Math.abs(Date.parse(DeleteDate) - Date.now() - 366 * 86_400_000)).toBeLessThan(60_000);
    await w.ask('CancelKeyDeletion', { KeyId: key });
    expect(await state(key)).toBe('Enabled');
    await w.ask('ScheduleKeyDeletion', { KeyId: key, PendingWindowInDays: '7' });
    await w.ask('DeleteKeyMaterial', { KeyId: key });
    expect(await state(key)).toBe('PendingDeletion');
    await w.ask('CancelKeyDeletion', { KeyId: key });
    expect(await state(key)).toBe('PendingImport');
  });

  it('a disabled key stays disabled when the same material is imported again, and its expiry is set anew', async () => {
    const material = randomBytes(32);
    const key = await w.keyWith(material);
    await w.ask('DisableKey', { KeyId: key });
    const expires = Math.floor(Date.now() / 1000) + 7200;
    await w.import(key, material, { KeyMaterialExpireUnix: String(expires) });
    const expiryOf = async () => (await w.ask('DescribeKey', { KeyId: key })).KeyMetadata.MaterialExpireTime;
    expect(await state(key)).toBe('Disabled');
    expect(Date.parse(await expiryOf())).toBe(expires * 1000);
    await w.import(key, material, { KeyMaterialExpireUnix: '0' });
    expect(await expiryOf()).toBe('');
  });

  it('material that has expired is gone at once, and can be imported again', async () => {
    const material = randomBytes(32);
    const key = await w.keyWith(material);
    const given = await w.importOf(key, material);
    const soon = Math.floor(Date.now() / 1000) + 4;
    await w.ask('ImportKeyMaterial', { ...given, KeyMaterialExpireUnix: String(soon) });
    expect(await state(key)).toBe('Enabled');
    await until(async () => (await state(key)) === 'PendingImport', 10_000);
    expect(Date.now()).toBeGreaterThanOrEqual(soon * 1000);
    expect(await w.refused('GenerateDataKey', { KeyId: key })).toMatchObject({ code: PI });
    await w.import(key, material);
    expect(await state(key)).toBe('Enabled');
  });
});

it('lists keys by page and by state, whatever other keys there are', async () => {
  const mine = await w.createKey();
  const Filters = JSON.stringify([{ Key: 'KeyState', Values: ['PendingImport', 'PendingDeletion'] }]);
  const { TotalCount } = await w.ask('ListKeys', { Filters });
  const ids = new Set<string>();
  for (let PageNumber = 1; ids.size < TotalCount; PageNumber += 1) {
    const { Keys } = await w.ask('ListKeys', { Filters, PageNumber, PageSize: 7 });
    if (Keys.Key.length === 0) break;
    for (const { KeyId, KeyArn } of Keys.Key) {
      ids.add(KeyId);
      expect(KeyArn).toMatch(new RegExp(`^acs:kms:local:${w.world.instance}:key/${KeyId}$`));
    }
  }
  expect(ids.size).toBe(TotalCount);
  expect(ids).toContain(mine);
  expect(ids).not.toContain(other);
  const none = JSON.stringify([{ Key: 'ProtectionLevel', Values: ['SOFTWARE'] }]);
  expect(await w.ask('ListKeys', { Filters: none })).toMatchObject({ TotalCount: 0, Keys: { Key: [] } });
});

it('a request has one line in the audit log, whatever came of it, an alias that moves one for each key, and every operation has lines', async () => {
  const { paths, several } = await linesOfRequests(w.world);
  expect(several).toEqual({ 'POST /?Action=UpdateAlias': 2 });
  expect(paths).toEqual(expect.arrayContaining(MATRIX.map(([action]) => `POST /?Action=${action}`)));
});
