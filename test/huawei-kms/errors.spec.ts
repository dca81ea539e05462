import { createHash, randomBytes } from 'node:crypto';
import { HuaweiWorld } from './huawei-world.js';
import { importedPair } from './material.js';

/** The vendor's error table, one row after the other: each is asked for by a request that must be refused so. */
let w: HuaweiWorld;
let generated: string;
let disabled: string;
let pending: string;
let leaving: string;
let signing: string;
let ec: string;
beforeAll(async () => {
  w = await HuaweiWorld.start();
  generated = await w.newCmk();
  disabled = await w.newCmk();
  await w.ok('disable-key', { key_id: disabled });
  pending = await w.newCmk({ origin: 'external' });
  leaving = await w.newCmk();
  await w.ok('schedule-key-deletion', { key_id: leaving, pending_days: 7 });
  signing = (await importedPair(w, 'RSA_2048')).keyId;
  ec = (await importedPair(w, 'EC_P256')).keyId;
}, 240_000);
afterAll(() => w?.end(), 30_000);

const NOBODY = '0d0466b0-e727-4d9c-b35d-f84bb474a37f';
const digest = randomBytes(32).toString('base64');
const dek = (bytes: Buffer, hash = createHash('sha256').update(bytes).digest()) =>
  bytes.toString('hex') + hash.toString('hex');
const sealed = async () => (await w.ok('create-datakey', { key_id: generated, datakey_length: 256 })).cipher_text;

type Row = [code: string, operation: string, body: () => object | string | Promise<object>];
const key =
  (id: () => string, more: object = {}) =>
  () => ({ key_id: id(), ...more });

it.each<Row>([
  ['KMS.0202', 'describe-key', () => '{"key_id":'],
  ['KMS.0202', 'describe-key', () => '[]'],
  ['KMS.0203', 'describe-key', () => ({ key_id: generated, more: 'x'.repeat(1 << 20) })],
  ['KMS.0204', 'describe-key', () => ({})],
  ['KMS.0204', 'create-key', () => ({ key_spec: 'AES_256' })],
  ['KMS.0205', 'describe-key', () => ({ key_id: 'x' })],
  ['KMS.0205', 'enable-key', () => ({ key_id: 'alias/x' })],
  ['KMS.0206', 'list-keys', () => ({ sequence: 'short' })],
  ['KMS.0207', 'describe-key', () => ({ key_id: NOBODY })],
  ['KMS.0207', 'encrypt-data', () => ({ key_id: 'alias/nobody', plain_text: 'x' })],
  ['KMS.0208', 'encrypt-data', key(() => generated, { plain_text: 'x', encryption_context: 'text' })],
  ['KMS.0208', 'encrypt-data', key(() => generated, { plain_text: 'x', encryption_context: { a: 'x'.repeat(8192) } })],
  [
    'KMS.0208',
    'encrypt-data',
    key(() => generated, { plain_text: 'x', additional_authenticated_data: 'é'.repeat(65) }),
  ],
  ['KMS.0209', 'encrypt-data', key(() => disabled, { plain_text: 'x' })],
  ['KMS.0209', 'create-datakey', key(() => disabled)],
  ['KMS.0210', 'encrypt-data', key(() => leaving, { plain_text: 'x' })],
  ['KMS.0210', 'enable-key', key(() => leaving)],
  ['KMS.0308', 'get-parameters-for-import', key(() => pending, { wrapping_algorithm: 'RSA' })],
  ['KMS.0309', 'get-parameters-for-import', key(() => generated, { wrapping_algorithm: 'RSAES_OAEP_SHA_1' })],
  ['KMS.0309', 'delete-imported-key-material', key(() => generated)],
  ['KMS.0312', 'enable-key-rotation', key(() => pending)],
  ['KMS.0312', 'get-key-rotation-status', key(() => pending)],
  ['KMS.0313', 'disable-key-rotation', key(() => generated)],
  ['KMS.0313', 'update-key-rotation-interval', key(() => generated, { rotation_interval: 30 })],
  ['KMS.0324', 'enable-key-rotation', key(() => signing)],
  ['KMS.0325', 'encrypt-data', key(() => signing, { plain_text: 'x' })],
  ['KMS.0325', 'create-datakey', key(() => ec)],
  ['KMS.0331', 'sign', key(() => generated, { message: digest, signing_algorithm: 'RSASSA_PSS_SHA_256' })],
  ['KMS.0331', 'get-publickey', key(() => generated)],
  ['KMS.0332', 'sign', key(() => signing, { message: digest, signing_algorithm: 'SM2DSA_SM3' })],
  ['KMS.0332', 'sign', key(() => signing, { message: digest, signing_algorithm: 'ECDSA_SHA_256' })],
  ['KMS.0308', 'sign', key(() => signing, { message: digest, signing_algorithm: 'RSASSA_PSS_SHA_512' })],
  ['KMS.0334', 'create-key', () => ({ key_alias: 'usage', key_usage: 'SIGN_VERIFY' })],
  ['KMS.1101', 'create-key', () => ({ key_alias: 'with blank' })],
  ['KMS.1101', 'create-key', () => ({ key_alias: 'evs/default' })],
  ['KMS.1103', 'create-key', () => ({ key_alias: 'long', key_description: 'x'.repeat(256) })],
  ['KMS.1104', 'create-key', async () => (await w.newCmk({ key_alias: 'taken' })) && { key_alias: 'taken' }],
  ['KMS.1110', 'create-key', () => ({ key_alias: 'sm4', key_spec: 'SM4' })],
  ['KMS.1110', 'create-key', () => ({ key_alias: 'rsa', key_spec: 'RSA_2048' })],
  ['KMS.1201', 'enable-key', key(() => generated)],
  ['KMS.1201', 'enable-key', key(() => pending)],
  ['KMS.1301', 'disable-key', key(() => disabled)],
  ['KMS.1301', 'disable-key', key(() => pending)],
  ['KMS.1301', 'encrypt-data', key(() => pending, { plain_text: 'x' })],
  ['KMS.1401', 'schedule-key-deletion', key(() => generated, { pending_days: '6' })],
  ['KMS.1401', 'schedule-key-deletion', key(() => generated, { pending_days: 1097 })],
  ['KMS.1402', 'schedule-key-deletion', key(() => leaving, { pending_days: 7 })],
  ['KMS.1501', 'cancel-key-deletion', key(() => generated)],
  ['KMS.1601', 'list-keys', () => ({ limit: '0' })],
  ['KMS.1601', 'list-keys', () => ({ limit: 1001 })],
  ['KMS.1602', 'list-keys', () => ({ marker: '-1' })],
  ['KMS.1801', 'gen-random', () => ({ random_data_length: 8200 })],
  ['KMS.1802', 'gen-random', () => ({ random_data_length: '9' })],
  ['KMS.1901', 'create-datakey', key(() => generated, { datakey_length: '8200' })],
  ['KMS.1902', 'create-datakey', key(() => generated, { key_spec: 'SM4' })],
  ['KMS.1903', 'create-datakey', key(() => generated, { datakey_length: 9 })],
  ['KMS.2101', 'encrypt-data', key(() => generated, { plain_text: 'é'.repeat(2049) })],
  ['KMS.2101', 'encrypt-datakey', key(() => generated, { plain_text: 'no hex', datakey_plain_length: 64 })],
  ['KMS.2102', 'encrypt-datakey', key(() => generated, { plain_text: dek(randomBytes(64)), datakey_plain_length: 0 })],
  ['KMS.2103', 'encrypt-datakey', key(() => generated, { plain_text: dek(randomBytes(64), randomBytes(32)) })],
  ['KMS.2104', 'encrypt-datakey', key(() => generated, { plain_text: dek(randomBytes(64)), datakey_plain_length: 32 })],
  ['KMS.2201', 'decrypt-data', () => ({ cipher_text: randomBytes(141).toString('base64') })],
  ['KMS.2201', 'decrypt-datakey', key(() => generated, { cipher_text: 'zz' })],
  [
    'KMS.2202',
    'decrypt-datakey',
    async () => ({ key_id: generated, cipher_text: await sealed(), datakey_cipher_length: 2000 }),
  ],
  [
    'KMS.2204',
    'decrypt-datakey',
    async () => ({ key_id: generated, cipher_text: await sealed(), datakey_cipher_length: 64 }),
  ],
  [
    'KMS.2401',
    'create-grant',
    key(() => generated, { grantee_principal: 'a'.repeat(32), operations: ['create-grant'] }),
  ],
  ['KMS.2402', 'create-grant', key(() => generated, { grantee_principal: 'a b', operations: ['describe-key'] })],
  ['KMS.2501', 'revoke-grant', key(() => generated, { grant_id: 'x' })],
  ['KMS.2501', 'revoke-grant', key(() => generated, { grant_id: 'a'.repeat(64) })],
  ['KMS.2701', 'delete-imported-key-material', key(() => pending)],
  ['KMS.2702', 'delete-imported-key-material', key(() => signing)],
  ['KMS.3001', 'update-key-rotation-interval', key(() => generated, { rotation_interval: '29' })],
])('%s: %s', async (code, operation, body) => {
  expect(await w.refusal(operation, await body())).toBe(code);
});

it('KMS.2901: a rotation that is on is not switched on again', async () => {
  const keyId = await w.newCmk();
  await w.ok('enable-key-rotation', { key_id: keyId });
  expect(await w.refusal('enable-key-rotation', { key_id: keyId })).toBe('KMS.2901');
});

it('KMS.0307: a reader does not create keys', async () => {
  const reader = await w.newKey('Reader');
  expect(await w.refusal('create-key', { key_alias: 'by-reader' }, reader)).toBe('KMS.0307');
});

it('KMS.0409, 0416, 0410, 0411, 0401 and 0404: tags', async () => {
  const keyId = await w.newCmk();
  const code = async (body: object, path = 'tags') => (await w.post(`${keyId}/${path}`, body)).body?.error_code;
  for (let n = 0; n < 10; n += 1) expect(await code({ tag: { key: `k${n}`, value: '' } })).toBeUndefined();
  expect(await code({ tag: { key: 'one too many', value: '' } })).toBe('KMS.0409');
  expect(await code({ tag: { key: 'k1', value: 'x'.repeat(44) } })).toBe('KMS.0410');
  expect(await code({ tag: { key: 'x'.repeat(37), value: '' } })).toBe('KMS.0411');
  expect(await code({ action: 'create', tags: [] }, 'tags/action')).toBe('KMS.0401');
  expect(await code({ action: 'other', tags: [{ key: 'k1' }] }, 'tags/action')).toBe('KMS.0404');
  const missing = await w.ask('DELETE', `${keyId}/tags/nothing`);
  expect([missing.status, missing.body.error_code]).toEqual([404, 'KMS.0416']);
  expect((await w.ask('GET', 'not-an-id/tags')).body.error_code).toBe('KMS.0205');
});
