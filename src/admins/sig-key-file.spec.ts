import { execFileSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '../shared/secret.js';
import { makeSigKey } from './certificate-maker.js';
import { fingerprintOf, readAdminKey } from './public-key.js';
import { isEncrypted, openSigKey, publicPartOf } from './sig-key-file.js';

const secret = (text: string) => new Secret(Buffer.from(text));
const rsa = (bits: number, publicExponent = 65_537) =>
  generateKeyPairSync('rsa', { modulusLength: bits, publicExponent }).privateKey;
const refuseToAsk = () => Promise.reject(new Error('nobody may be asked'));

let own: KeyObject;
let sealed: string;
let clear: string;
beforeAll(async () => {
  own = rsa(2048);
  sealed = await makeSigKey('ADMIN', secret('pass word'));
  clear = await makeSigKey('ADMIN', null);
});

describe('a signature-key file', () => {
  it('holds a self-signed certificate first, then the private key', () => {
    expect(sealed.match(/-----BEGIN [A-Z ]+-----/g)).toEqual([
      '-----BEGIN CERTIFICATE-----',
      '-----BEGIN ENCRYPTED PRIVATE KEY-----',
    ]);
    expect(clear.match(/-----BEGIN [A-Z ]+-----/g)).toEqual([
      '-----BEGIN CERTIFICATE-----',
      '-----BEGIN PRIVATE KEY-----',
    ]);
    expect([isEncrypted(sealed), isEncrypted(clear)]).toEqual([true, false]);
  });

  it('opens with its passphrase, to the key of its certificate', () => {
    const key = openSigKey(sealed, secret('pass word'), 'a.key');
    expect(key.type).toBe('private');
    expect(fingerprintOf(key)).toBe(fingerprintOf(new X509Certificate(sealed).publicKey));
  });

  it('opens without a passphrase when it was made without one, or with an empty one', async () => {
    expect(openSigKey(clear, null, 'a.key').type).toBe('private');
    expect(isEncrypted(await makeSigKey('ADMIN', secret('')))).toBe(false);
  });

  it.each(['', 'pass wore', 'pass word '])('refuses the wrong passphrase "%s"', (wrong) => {
    expect(() => openSigKey(sealed, secret(wrong), 'a.key')).toThrow(
      expect.objectContaining({ code: 'PASSPHRASE_WRONG', message: expect.stringContaining('a.key') }),
    );
  });

  it('needs no passphrase for the public part', async () => {
    expect(await publicPartOf(sealed, 'a.key', refuseToAsk)).toBe(
      `${sealed.split('-----END CERTIFICATE-----')[0]}-----END CERTIFICATE-----\n`,
    );
  });

  it.each(['abc', 'x'.repeat(256)])('takes a passphrase of 4 to 255 characters only (%#)', async (passphrase) => {
    await expect(makeSigKey('ADMIN', secret(passphrase))).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('counts characters, not bytes, and takes any of them', async () => {
    const passphrase = '🔑#'.repeat(127);
    expect(openSigKey(await makeSigKey('ADMIN', secret(passphrase)), secret(passphrase), 'a.key').type).toBe('private');
  });

  it('is read by stock openssl', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sig-key-'));
    try {
      const file = join(dir, 'a.key');
      writeFileSync(file, sealed, { mode: 0o600 });
      const openssl = (...args: string[]) => execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });
      const pem = openssl('pkey', '-in', file, '-passin', 'pass:pass word');
      expect(fingerprintOf(createPrivateKey(pem))).toBe(fingerprintOf(openSigKey(sealed, secret('pass word'), file)));
      const asn1 = openssl('pkcs8', '-in', file, '-passin', 'pass:pass word', '-topk8', '-nocrypt');
      expect(asn1).toContain('BEGIN PRIVATE KEY');
      expect(openssl('verify', '-CAfile', file, file)).toContain('OK');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('says in its header: PBES2, PBKDF2 with HMAC-SHA-256 and 600 000 iterations, AES-256-CBC', () => {
    const asn1 = execFileSync('openssl', ['asn1parse', '-i'], {
      input: sealed.slice(sealed.indexOf('-----BEGIN ENCRYPTED')),
      encoding: 'utf8',
    });
    expect(asn1).toMatch(/PBES2[\s\S]+PBKDF2[\s\S]+INTEGER +:0927C0[\s\S]+hmacWithSHA256[\s\S]+aes-256-cbc/);
  });
});

describe('its certificate', () => {
  it('is X.509 v3 for RSA-2048, CN = name, self-signed, digitalSignature, good for ten years', () => {
    const certificate = new X509Certificate(clear);
    const text = execFileSync('openssl', ['x509', '-noout', '-text'], { input: clear, encoding: 'utf8' });
    expect(certificate.subject).toBe('CN=ADMIN');
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(text).toMatch(/Version: 3[\s\S]+Public-Key: \(2048 bit\)[\s\S]+Key Usage: critical\s+Digital Signature\n/);
    const years = new Date(certificate.validTo).getUTCFullYear() - new Date(certificate.validFrom).getUTCFullYear();
    expect(years).toBe(10);
  });

  it('has a random positive serial number of 16 bytes', async () => {
    const other = new X509Certificate(await makeSigKey('ADMIN', null)).serialNumber;
    const serial = new X509Certificate(clear).serialNumber;
    expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/);
    expect(serial).not.toBe(other);
  });

  it('keeps a name with commas, quotes and other letters in one CN', async () => {
    const name = 'O=x, "Zoë" + CN=y';
    const certificate = new X509Certificate(await makeSigKey(name, null));
    expect(certificate.toLegacyObject().subject).toEqual(expect.objectContaining({ CN: name }));
  });

  it.each(['', 'x'.repeat(256), 'a\nb'])('refuses a name out of bounds (%#)', async (name) => {
    await expect(makeSigKey(name, null)).rejects.toMatchObject({ code: 'USAGE' });
  });
});

describe('a key of the user’s own', () => {
  const pem = (key: KeyObject, type: 'pkcs1' | 'pkcs8', passphrase?: string): string =>
    key
      .export({ type, format: 'pem', ...(passphrase ? { cipher: 'aes-256-cbc', passphrase } : {}) } as never)
      .toString();

  it.each(['pkcs1', 'pkcs8'] as const)('is opened as %s, with and without a passphrase', (type) => {
    const kid = fingerprintOf(own);
    expect(fingerprintOf(openSigKey(pem(own, type), null, 'my.pem'))).toBe(kid);
    expect(isEncrypted(pem(own, type, 'secret'))).toBe(true);
    expect(fingerprintOf(openSigKey(pem(own, type, 'secret'), secret('secret'), 'my.pem'))).toBe(kid);
    expect(() => openSigKey(pem(own, type, 'secret'), secret('Secret'), 'my.pem')).toThrow('does not open my.pem');
  });

  it('gives its RSA PUBLIC KEY, asking for the passphrase only when encrypted', async () => {
    const expected = fingerprintOf(own);
    const kidOf = async (text: string, ask: () => Promise<Secret | null>) => {
      const part = await publicPartOf(text, 'my.pem', ask);
      expect(part).toMatch(/^-----BEGIN RSA PUBLIC KEY-----/);
      return readAdminKey(part).kid;
    };
    expect(await kidOf(pem(own, 'pkcs1'), refuseToAsk)).toBe(expected);
    expect(await kidOf(pem(own, 'pkcs8', 'secret'), () => Promise.resolve(secret('secret')))).toBe(expected);
  });

  it.each([
    ['RSA-1024', () => rsa(1024), 'RSA-1024'],
    ['exponent 3', () => rsa(2048, 3), 'exponent 3'],
    ['EC', () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'not an RSA key'],
    ['RSA-PSS only', () => generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey, 'not an RSA key'],
  ] as const)('is refused when it is %s', (_, make, why) => {
    expect(() => openSigKey(pem(make(), 'pkcs8'), null, 'my.pem')).toThrow(why);
  });

  it('is refused when the certificate beside it is of another key', () => {
    const certificate = clear.slice(0, clear.indexOf('-----BEGIN PRIVATE'));
    expect(() => openSigKey(certificate + pem(own, 'pkcs8'), null, 'my.pem')).toThrow('another key');
  });

  it.each(['', 'nonsense', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'])(
    'is refused when there is none (%#)',
    (text) => {
      expect(() => openSigKey(text, null, 'my.pem')).toThrow(expect.objectContaining({ code: 'FILE_INVALID' }));
    },
  );

  it('is refused as damaged, not as a wrong passphrase, when its encrypted block is cut short', () => {
    const lines = sealed.trimEnd().split('\n');
    lines.splice(-4, 1);
    expect(() => openSigKey(lines.join('\n'), secret('pass word'), 'a.key')).toThrow(
      expect.objectContaining({ code: 'FILE_INVALID' }),
    );
  });
});
