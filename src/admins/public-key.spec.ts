import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { makeSigKey } from './certificate-maker.js';
import { toPem } from './pem.js';
import { fingerprintOf, readAdminKey, spkiOf } from './public-key.js';

const pem = (key: KeyObject, type: 'pkcs1' | 'spki') => key.export({ type, format: 'pem' }).toString();
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

describe('the key of an administrator', () => {
  it('is named by the SHA-256 of its SPKI, whatever form it comes in', () => {
    const kid = createHash('sha256')
      .update(publicKey.export({ type: 'spki', format: 'der' }))
      .digest('hex');
    expect([fingerprintOf(publicKey), fingerprintOf(privateKey)]).toEqual([kid, kid]);
    for (const type of ['pkcs1', 'spki'] as const) {
      const read = readAdminKey(pem(publicKey, type));
      expect(read).toMatchObject({ kid, certificate: null, notAfter: null });
      expect(read.spki.equals(spkiOf(publicKey))).toBe(true);
    }
  });

  it('is read from a self-signed certificate with its last day', async () => {
    const [certificate = ''] = (await makeSigKey('ADMIN', null)).split('-----BEGIN PRIVATE');
    const read = readAdminKey(certificate);
    expect(read.certificate?.length).toBeGreaterThan(500);
    expect(read.notAfter?.getUTCFullYear()).toBe(new Date().getUTCFullYear() + 10);
  });

  it('is refused when any byte of the certificate was changed', async () => {
    const [certificate = ''] = (await makeSigKey('ADMIN', null)).split('-----BEGIN PRIVATE');
    const der = Buffer.from(certificate.replaceAll(/-----.+-----|\n/g, ''), 'base64');
    for (let at = 0; at < der.length; at += 7) {
      const changed = Buffer.from(der);
      changed[at] = (changed[at] as number) ^ 1;
      expect(() => readAdminKey(toPem('CERTIFICATE', changed))).toThrow(
        expect.objectContaining({ code: 'BAD_REQUEST' }),
      );
    }
  });

  it.each([
    ['two blocks', pem(publicKey, 'spki') + pem(publicKey, 'spki')],
    ['nothing', ''],
    ['no PEM', 'ssh-rsa AAAA'],
    ['a private key', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()],
    ['a damaged key', toPem('PUBLIC KEY', Buffer.from('nonsense'))],
    ['RSA-1024', pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey, 'spki')],
    ['exponent 3', pem(generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).publicKey, 'pkcs1')],
    ['an EC key', pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey, 'spki')],
  ])('is refused when it is %s', (_, text) => {
    expect(() => readAdminKey(text)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });
});
