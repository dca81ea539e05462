import { execFileSync } from 'node:child_process';
import {
  constants,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { IMPORT_PAIR_BITS, type OaepHash } from '../../src/pkcs11/mechanisms.js';
import { encryptOaep } from '../../src/pkcs11/rsa-oaep.js';
import type { SealedKey } from '../../src/pkcs11/sealed-key.js';
import type { UnitToken } from '../../src/pkcs11/unit-token.js';
import { devices, temporaryDir } from './devices.js';
import { MasteredUnit, wrap, wrapId } from './mastered-unit.js';
import { seal, sealNonce, unwrapKw, wrapKw } from './witness.js';

const AAD = Buffer.from('context');
const refused = (code: string) => expect.objectContaining({ code });

/** What a client does: IBM's import tokens, with OpenSSL. */
function sealKey(publicKey: KeyObject, key: Buffer, oaep: OaepHash = 'SHA-256'): SealedKey {
  const nonce = randomBytes(12);
  return { oaep, wrappedKey: encryptOaep(publicKey, oaep, key), nonce, ...sealNonce(key, nonce) };
}

const spki = (der: Buffer) => createPublicKey({ key: der, format: 'der', type: 'spki' });

describe.each(devices)('on $name', (device) => {
  let world: MasteredUnit;
  let unit: UnitToken;
  beforeAll(async () => {
    world = await MasteredUnit.make(device);
    unit = world.unit;
  });
  afterAll(() => world.end());

  describe('key material of a client', () => {
    it.each([16, 24, 32])('of %i bytes is wrapped as RFC 3394 says, and encrypts as OpenSSL does', (bytes) => {
      const material = randomBytes(bytes);
      const blob = unit.importRootKey(wrapId, material);
      expect(blob).toEqual(wrapKw(wrap, material));
      const sealed = unit.encrypt(wrapId, blob, Buffer.from('plain'), AAD);
      expect(seal(material, Buffer.from('plain'), AAD, sealed.subarray(0, 12))).toEqual(sealed);
    });
  });

  describe.each(IMPORT_PAIR_BITS)('an import pair of %i bits', (bits) => {
    let blob: Buffer;
    let publicKey: KeyObject;
    beforeAll(async () => {
      const pair = await unit.generateImportPair(bits);
      blob = pair.wrapUnder(wrapId);
      publicKey = spki(pair.publicKey);
      pair.destroy();
    });

    it('has its size and the usual exponent, and is told by its blob', () => {
      expect(publicKey.asymmetricKeyDetails).toEqual({ modulusLength: bits, publicExponent: 65537n });
      expect(spki(unit.importPairPublicKey(wrapId, blob)).equals(publicKey)).toBe(true);
    });

    it.each([16, 24, 32])('takes in a key of %i bytes, under SHA-256 and SHA-1', async (bytes) => {
      for (const oaep of ['SHA-256', 'SHA-1'] as const) {
        const key = randomBytes(bytes);
        const imported = await unit.importWithPair(wrapId, blob, sealKey(publicKey, key, oaep));
        expect(imported).toEqual({ blob: wrapKw(wrap, key), valid: true });
      }
    });
  });

  describe('an import pair', () => {
    let blob: Buffer;
    let publicKey: KeyObject;
    beforeAll(async () => {
      const pair = await unit.generateImportPair(2048);
      blob = pair.wrapUnder(wrapId);
      publicKey = spki(pair.publicKey);
      pair.destroy();
    });
    const key = randomBytes(32);
    const open = (sealed: SealedKey) => unit.importWithPair(wrapId, blob, sealed);
    const raw = (block: Buffer) => publicEncrypt({ key: publicKey, padding: constants.RSA_NO_PADDING }, block);
    const good = () => sealKey(publicKey, key);

    const malformed: Record<string, () => SealedKey> = {
      'noise in place of the key': () => ({
        ...good(),
        wrappedKey: raw(Buffer.concat([Buffer.alloc(1), randomBytes(255)])),
      }),
      'a first byte that is not zero': () => ({ ...good(), wrappedKey: raw(Buffer.alloc(256, 1)) }),
      'PKCS#1 v1.5 padding': () => ({
        ...good(),
        wrappedKey: publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_PADDING }, key),
      }),
      'another OAEP hash': () => ({ ...good(), wrappedKey: encryptOaep(publicKey, 'SHA-1', key) }),
      'an OAEP label': () => ({
        ...good(),
        wrappedKey: publicEncrypt(
          {
            key: publicKey,
            padding: constants.RSA_PKCS1_OAEP_PADDING,
            oaepHash: 'sha256',
            oaepLabel: Buffer.from('x'),
          },
          key,
        ),
      }),
      'a key of 20 bytes': () => ({ ...good(), wrappedKey: encryptOaep(publicKey, 'SHA-256', randomBytes(20)) }),
      'a key of no bytes': () => ({ ...good(), wrappedKey: encryptOaep(publicKey, 'SHA-256', Buffer.alloc(0)) }),
      'another key under the nonce': () => ({
        ...good(),
        wrappedKey: encryptOaep(publicKey, 'SHA-256', randomBytes(32)),
      }),
      'another nonce': () => ({ ...good(), nonce: randomBytes(12) }),
      'another IV': () => ({ ...good(), iv: randomBytes(12) }),
      'a changed tag': () => {
        const sealed = good();
        return { ...sealed, encryptedNonce: Buffer.concat([sealed.encryptedNonce.subarray(0, -1), Buffer.of(0)]) };
      },
      'a tag that is cut short': () => ({ ...good(), encryptedNonce: good().encryptedNonce.subarray(0, 24) }),
      'an IV of 16 bytes': () => ({ ...good(), iv: randomBytes(16) }),
      'too short a ciphertext': () => ({ ...good(), wrappedKey: good().wrappedKey.subarray(1) }),
      'too long a ciphertext': () => ({ ...good(), wrappedKey: Buffer.concat([Buffer.alloc(1), good().wrappedKey]) }),
      'a ciphertext beyond the modulus': () => ({ ...good(), wrappedKey: Buffer.alloc(256, 0xff) }),
      'a ciphertext of zero': () => ({ ...good(), wrappedKey: Buffer.alloc(256) }),
      'a ciphertext of one': () => ({ ...good(), wrappedKey: Buffer.concat([Buffer.alloc(255), Buffer.of(1)]) }),
      'no ciphertext': () => ({ ...good(), wrappedKey: Buffer.alloc(0) }),
      'a key of zeros': () => sealKey(publicKey, Buffer.alloc(32)),
      'a key of one byte over and over': () => sealKey(publicKey, Buffer.alloc(16, 0x5a)),
    };

    it.each(Object.keys(malformed))('answers %s with a key of nobody, and goes on', async (what) => {
      const sealed = malformed[what]?.() as SealedKey;
      const imported = await open(sealed);
      expect(imported.valid).toBe(false);
      expect((await open(good())).blob).toEqual(wrapKw(wrap, key));
    });

    it('never gives the key away when only the nonce is wrong, nor the same substitute twice', async () => {
      const noise = () => open({ ...good(), wrappedKey: raw(Buffer.alloc(256, 1)) });
      const [one, other] = [await noise(), await noise()];
      expect(one.blob).toHaveLength(40);
      expect(one.blob).not.toEqual(other.blob);
    });

    it('takes in what the openssl command made', async () => {
      const dir = temporaryDir();
      try {
        const file = (name: string) => join(dir, name);
        writeFileSync(file('public.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
        writeFileSync(file('key.bin'), key);
        const options = ['rsa_padding_mode:oaep', 'rsa_oaep_md:sha256'].flatMap((option) => ['-pkeyopt', option]);
        const files = ['-pubin', '-inkey', file('public.pem'), '-in', file('key.bin'), '-out', file('wrapped.bin')];
        execFileSync('openssl', ['pkeyutl', '-encrypt', ...files, ...options]);
        const wrappedKey = readFileSync(file('wrapped.bin'));
        expect(await open({ ...good(), wrappedKey })).toEqual({ blob: wrapKw(wrap, key), valid: true });
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    });

    it('takes in many at a time', async () => {
      const sealed = Array.from({ length: 20 }, (_, i) => (i % 2 ? good() : { ...good(), nonce: randomBytes(12) }));
      const imported = await Promise.all(sealed.map(open));
      expect(imported.map(({ valid }) => valid)).toEqual(sealed.map((_, i) => i % 2 === 1));
    });

    it('with a blob that was changed, or is another key, is KEY_ROW_INVALID, and the unit goes on', async () => {
      const changed = Buffer.from(blob);
      changed.writeUInt8(changed.readUInt8(100) ^ 1, 100);
      for (const bad of [changed, blob.subarray(8), unit.generateRootKey(wrapId), Buffer.alloc(0)]) {
        await expect(unit.importWithPair(wrapId, bad, good())).rejects.toEqual(refused('KEY_ROW_INVALID'));
        expect(() => unit.importPairPublicKey(wrapId, bad)).toThrow(refused('KEY_ROW_INVALID'));
      }
      expect(() => unit.encrypt(wrapId, blob, AAD, AAD)).toThrow(refused('KEY_ROW_INVALID'));
      expect((await open(good())).valid).toBe(true);
    });

    it('keeps its private half to itself: nothing of it is on the token, and only mk-wrap opens its blob', async () => {
      expect(unit.inventory().some(({ label }) => label === 'import-pair')).toBe(false);
      const pkcs8 = unwrapKw(wrap, blob, 'padded');
      const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
      const oaep = { key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };
      expect(privateDecrypt(oaep, good().wrappedKey)).toEqual(key);
    });

    it('in the making holds nobody up', async () => {
      const rootKey = unit.generateRootKey(wrapId);
      let made = false;
      const making = Promise.all([unit.generateImportPair(3072), unit.generateImportPair(3072)]).then((pairs) => {
        made = true;
        for (const pair of pairs) pair.destroy();
      });
      let longest = 0;
      for (let calls = 0; !made || calls < 20; calls += 1) {
        const before = performance.now();
        unit.canary(wrapId);
        unit.encrypt(wrapId, rootKey, AAD, AAD);
        longest = Math.max(longest, performance.now() - before);
        await new Promise((done) => setImmediate(done));
      }
      await making;
      expect(longest).toBeLessThan(1_000); // it was 300 to 5,000 ms for the pairs
    });
  });

  it('after a restart, a pair of before takes in keys', async () => {
    const pair = await unit.generateImportPair(2048);
    const blob = pair.wrapUnder(wrapId);
    const key = randomBytes(32);
    const sealed = sealKey(spki(pair.publicKey), key);
    pair.destroy();
    unit.close();
    world.open();
    unit = world.unit;
    expect(await unit.importWithPair(wrapId, blob, sealed)).toEqual({ blob: wrapKw(wrap, key), valid: true });
  });
});

describe('a pair that was made on a unit', () => {
  it.each(devices.flatMap((from) => devices.map((to) => ({ from, to }))))(
    'of $from.name takes in keys on another of $to.name with the same master key',
    async ({ from, to }) => {
      const key = randomBytes(32);
      const one = await MasteredUnit.make(from);
      const pair = await one.unit.generateImportPair(2048);
      const blob = pair.wrapUnder(wrapId);
      const sealed = sealKey(spki(pair.publicKey), key);
      one.end();
      const other = await MasteredUnit.make(to);
      try {
        expect(await other.unit.importWithPair(wrapId, blob, sealed)).toEqual({ blob: wrapKw(wrap, key), valid: true });
      } finally {
        other.end();
      }
    },
  );
});
