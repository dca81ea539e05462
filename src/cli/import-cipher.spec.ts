import { execFileSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encryptKey, encryptNonce, encryptNonceCbc, readImportKey } from './import-cipher.js';

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const PEM = publicKey.export({ type: 'spki', format: 'pem' }).toString();
const openssl = (args: readonly string[], input: Buffer) => execFileSync('openssl', args, { input, stdio: 'pipe' });

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'kp-'));
  writeFileSync(join(directory, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
});
afterAll(() => rmSync(directory, { recursive: true }));

test.each([
  ['SHA256', 'sha256'],
  ['SHA1', 'sha1'],
] as const)('openssl opens a key encrypted with OAEP and %s, and with no other hash', (hash, name) => {
  const open = (md: string, sealed: Buffer) =>
    openssl(
      ['pkeyutl', '-decrypt', '-inkey', join(directory, 'key.pem'), '-pkeyopt', 'rsa_padding_mode:oaep'].concat([
        '-pkeyopt',
        `rsa_oaep_md:${md}`,
        '-pkeyopt',
        `rsa_mgf1_md:${md}`,
      ]),
      sealed,
    );
  for (const length of [16, 24, 32]) {
    const key = randomBytes(length);
    const sealed = encryptKey(key, publicKey, hash);
    expect(sealed).toHaveLength(256);
    expect(open(name, sealed)).toEqual(key);
  }
  const other = name === 'sha1' ? 'sha256' : 'sha1';
  expect(() => open(other, encryptKey(randomBytes(32), publicKey, hash))).toThrow('decoding error');
});

test.each([16, 24, 32])(
  'a nonce under a key of %i bytes is AES-GCM, as computed with openssl block by block',
  (length) => {
    const key = randomBytes(length);
    const nonce = randomBytes(12);
    const { encryptedNonce, iv } = encryptNonce(key, nonce);
    expect([encryptedNonce.length, iv.length]).toEqual([28, 12]);
    expect(encryptedNonce.toString('base64')).toHaveLength(40);
    expect(encryptedNonce).toEqual(gcmByOpenssl(key, iv, nonce));
    expect(encryptNonce(key, nonce).iv).not.toEqual(iv);
  },
);

test('with --cbc a nonce is AES-CBC with an IV of 16 bytes, and openssl opens it', () => {
  const key = randomBytes(32);
  const nonce = randomBytes(12);
  const { encryptedNonce, iv } = encryptNonceCbc(key, nonce);
  const args = ['enc', '-d', '-aes-256-cbc', '-K', key.toString('hex'), '-iv', iv.toString('hex')];
  expect(openssl(args, encryptedNonce)).toEqual(nonce);
});

test('the computation with openssl is right: test case 14 of the GCM specification', () => {
  const expected = 'cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919';
  expect(gcmByOpenssl(Buffer.alloc(32), Buffer.alloc(12), Buffer.alloc(16)).toString('hex')).toBe(expected);
});

test('a public key is taken in PEM, in base64 of PEM as a token shows it, and in base64 of DER', () => {
  const der = publicKey.export({ type: 'spki', format: 'der' });
  const pkcs1 = publicKey.export({ type: 'pkcs1', format: 'pem' }).toString();
  for (const text of [PEM, `\n${PEM}`, Buffer.from(PEM).toString('base64'), der.toString('base64'), pkcs1]) {
    expect(readImportKey(text).equals(createPublicKey(PEM))).toBe(true);
  }
});

test('what is no RSA public key of 2048 bits is refused, without quoting it', () => {
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ type: 'spki', format: 'pem' });
  const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' });
  const secret = privateKey.export({ type: 'pkcs8', format: 'pem' });
  for (const text of [short, curve, secret, 'secret-word', '', PEM.replace('MII', 'MIJ')].map(String)) {
    expect(() => readImportKey(text)).toThrow('not that of an import token');
    expect(() => readImportKey(text)).not.toThrow(/secret-word|BEGIN/);
  }
});

/** AES-GCM of SP 800-38D from openssl's AES alone: counter mode, and GHASH over GF(2^128) done here. */
function gcmByOpenssl(key: Buffer, iv: Buffer, plaintext: Buffer): Buffer {
  const bits = key.length * 8;
  const hex = key.toString('hex');
  const block = (input: Buffer) => openssl(['enc', `-aes-${bits}-ecb`, '-nopad', '-K', hex], input);
  const first = Buffer.concat([iv, Buffer.from([0, 0, 0, 2])]);
  const ciphertext = openssl(['enc', `-aes-${bits}-ctr`, '-K', hex, '-iv', first.toString('hex')], plaintext);
  const h = BigInt(`0x${block(Buffer.alloc(16)).toString('hex')}`);
  const lengths = Buffer.alloc(16);
  lengths.writeBigUInt64BE(BigInt(ciphertext.length * 8), 8);
  const padded = Buffer.concat([ciphertext, Buffer.alloc((16 - (ciphertext.length % 16)) % 16), lengths]);
  let hash = 0n;
  for (let at = 0; at < padded.length; at += 16) {
    hash = times(hash ^ BigInt(`0x${padded.subarray(at, at + 16).toString('hex')}`), h);
  }
  const mask = BigInt(`0x${block(Buffer.concat([iv, Buffer.from([0, 0, 0, 1])])).toString('hex')}`);
  const tag = Buffer.from((hash ^ mask).toString(16).padStart(32, '0'), 'hex');
  return Buffer.concat([ciphertext, tag]);
}

function times(x: bigint, y: bigint): bigint {
  let product = 0n;
  let shifted = y;
  for (let bit = 127n; bit >= 0n; bit -= 1n) {
    if ((x >> bit) & 1n) product ^= shifted;
    shifted = shifted & 1n ? (shifted >> 1n) ^ (0xe1n << 120n) : shifted >> 1n;
  }
  return product;
}
