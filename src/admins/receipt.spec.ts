import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { compactVerify, importSPKI } from 'jose';
import { RECEIPT_TYP, type Receipt, readReceipt, receiptSigningInput, sealReceipt } from './receipt.js';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const spki = publicKey.export({ type: 'spki', format: 'der' });
const kid = createHash('sha256').update(spki).digest('hex');

const receipt: Receipt = {
  v: 1,
  plan: '6e0aead3-9d44-4c92-a4c4-f7a1ab415420',
  nonce: null,
  digest: 'ab'.repeat(32),
  op: 'mk.random',
  instance: 'c28a8939-3980-4697-a80c-50b1f8bbf160',
  unit: '3bb363fc-b1f9-4237-b37b-2c9e07784e3c',
  serial: 'a1b2c3d4',
  epoch: '00'.repeat(16),
  counter: 3,
  outcome: 'ok',
  error: null,
  facts: { random: 'AAAA', nested: { list: [1, null, true] } },
  at: '2026-01-01T00:00:00.000Z',
};
const invalid = expect.objectContaining({ code: 'RECEIPT_INVALID' });
const seal = (input: Buffer, key = privateKey) =>
  sealReceipt(input, sign('sha256', input, { key, dsaEncoding: 'ieee-p1363' }));
const sealed = (value: unknown) => seal(receiptSigningInput(value as Receipt, kid));

describe('a receipt', () => {
  it('comes back as the unit signed it', () => {
    expect(readReceipt(sealed(receipt), spki)).toEqual(receipt);
    const refused: Receipt = { ...receipt, outcome: 'refused', error: { code: 'LAST_ADMIN', message: 'no' } };
    expect(readReceipt(sealed(refused), spki)).toEqual(refused);
  });

  it('is JWS: jose verifies it as ES256', async () => {
    const key = await importSPKI(publicKey.export({ type: 'spki', format: 'pem' }).toString(), 'ES256');
    const { payload, protectedHeader } = await compactVerify(sealed(receipt), key);
    expect(JSON.parse(Buffer.from(payload).toString())).toEqual(receipt);
    expect(protectedHeader).toEqual({ alg: 'ES256', kid, typ: RECEIPT_TYP });
  });

  it('is refused when any byte was changed', () => {
    const text = Buffer.from(sealed(receipt));
    for (let at = 0; at < text.length; at += 1) {
      const changed = Buffer.from(text);
      changed[at] = (changed[at] as number) ^ (1 << (at % 7));
      expect(() => readReceipt(changed.toString('latin1'), spki)).toThrow(invalid);
    }
  });

  it('is refused under another unit key', () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(() => readReceipt(sealed(receipt), other.publicKey.export({ type: 'spki', format: 'der' }))).toThrow(
      expect.objectContaining({ code: 'RECEIPT_INVALID', message: expect.stringContaining('another unit key') }),
    );
    expect(() => readReceipt(seal(receiptSigningInput(receipt, kid), other.privateKey), spki)).toThrow(invalid);
  });

  it('is refused under a key that is not P-256', () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ type: 'spki', format: 'der' });
    const otherKid = createHash('sha256').update(other).digest('hex');
    expect(() => readReceipt(seal(receiptSigningInput(receipt, otherKid)), other)).toThrow(invalid);
    expect(() => readReceipt(sealed(receipt), Buffer.from('nonsense'))).toThrow(invalid);
  });

  it.each([
    [
      'a DER signature',
      () =>
        `${receiptSigningInput(receipt, kid)}.${sign('sha256', receiptSigningInput(receipt, kid), privateKey).toString('base64url')}`,
    ],
    ['two parts', () => receiptSigningInput(receipt, kid).toString()],
    ['four parts', () => `${sealed(receipt)}.AAAA`],
    ['an unknown member', () => sealed({ ...receipt, x: 1 })],
    ['an unknown code', () => sealed({ ...receipt, outcome: 'refused', error: { code: 'NOPE', message: '' } })],
    ['ok with an error', () => sealed({ ...receipt, error: { code: 'LAST_ADMIN', message: '' } })],
    ['refused without one', () => sealed({ ...receipt, outcome: 'refused' })],
    ['no outcome', () => sealed({ ...receipt, outcome: undefined })],
    ['nothing', () => ''],
  ])('is refused when it has %s', (_, make) => {
    expect(() => readReceipt(make(), spki)).toThrow(invalid);
  });
});
