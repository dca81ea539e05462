import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import type { ImportedPrivateKey, PrivateKeyAlgorithm } from '../../src/pkcs11/external-keys.js';
import type { SealedMaterial, WrappingAlgorithm } from '../../src/pkcs11/sealed-key.js';
import { WRAPPING_ALGORITHMS } from '../../src/pkcs11/sealed-key.js';
import type { UnitToken } from '../../src/pkcs11/unit-token.js';
import { devices } from './devices.js';
import { MasteredUnit, wrap, wrapId } from './mastered-unit.js';
import { encryptTo, privateKeyOf } from './sealed-material.js';
import { unwrapKw, wrapKw, wrapKwp } from './witness.js';

const refused = (code: string) => expect.objectContaining({ code });
const ALGORITHMS = ['RSA-2048', 'RSA-3072', 'RSA-4096', 'EC-P256', 'EC-P384'] as const;

describe.each(devices)('on $name', (device) => {
  let world: MasteredUnit;
  let unit: UnitToken;
  let blob: Buffer;
  let publicKey: KeyObject;
  beforeAll(async () => {
    world = await MasteredUnit.make(device);
    unit = world.unit;
    const pair = await unit.generateImportPair(2048);
    blob = pair.wrapUnder(wrapId);
    publicKey = createPublicKey({ key: pair.publicKey, format: 'der', type: 'spki' });
    pair.destroy();
  });
  afterAll(() => world.end());

  const sealedKey = (algorithm: WrappingAlgorithm, key: Buffer): SealedMaterial => ({
    algorithm,
    wrappedKey: encryptTo(publicKey, algorithm, key),
  });
  const raw = (block: Buffer) => publicEncrypt({ key: publicKey, padding: constants.RSA_NO_PADDING }, block);
  const openKey = (sealed: SealedMaterial) => unit.external.importKey(wrapId, blob, sealed);

  describe.each(WRAPPING_ALGORITHMS)('key material by %s', (algorithm) => {
    it('of 32 bytes is wrapped as RFC 3394 says', async () => {
      const key = randomBytes(32);
      expect(await openKey(sealedKey(algorithm, key))).toEqual({ blob: wrapKw(wrap, key), refusal: null });
    });

    it.each([16, 24, 31, 33])(
      'of %i bytes is refused, by its length only where a good decode shows it',
      async (bytes) => {
        const { refusal } = await openKey(sealedKey(algorithm, randomBytes(bytes)));
        const isHidden = algorithm === 'RSAES_PKCS1_V1_5' || (device.name !== 'SoftHSM2' && bytes % 2 === 1);
        expect(refusal).toBe(isHidden ? 'IMPORT_INVALID' : 'MATERIAL_LENGTH');
      },
    );

    it('that does not open gives a key of nobody, another each time', async () => {
      const good = sealedKey(algorithm, randomBytes(32));
      const others = WRAPPING_ALGORITHMS.filter((other) => other !== algorithm);
      const attempts: SealedMaterial[] = [
        ...others.map((other) => ({ ...good, algorithm: other })),
        { algorithm, wrappedKey: raw(Buffer.concat([Buffer.of(0, 2), Buffer.alloc(254, 1)])) },
        { algorithm, wrappedKey: raw(Buffer.alloc(256, 1)) },
        { algorithm, wrappedKey: Buffer.alloc(256) },
        { algorithm, wrappedKey: Buffer.alloc(256, 0xff) },
        { algorithm, wrappedKey: good.wrappedKey.subarray(1) },
        { algorithm, wrappedKey: Buffer.alloc(0) },
      ];
      const imported = [];
      for (const sealed of attempts) imported.push(await openKey(sealed));
      expect(imported.map(({ refusal }) => refusal)).toEqual(attempts.map(() => 'IMPORT_INVALID'));
      expect(new Set(imported.map(({ blob: wrapped }) => wrapped.toString('hex'))).size).toBe(attempts.length);
      expect((await openKey(good)).refusal).toBeNull();
    });
  });

  describe('a private key', () => {
    const open = (algorithm: PrivateKeyAlgorithm, sealed: SealedMaterial) =>
      unit.external.importPrivateKey(wrapId, blob, algorithm, sealed);
    const seal = (
      pkcs8: Buffer,
      temporaryKey = randomBytes(32),
      algorithm: WrappingAlgorithm = 'RSAES_OAEP_SHA_256',
    ) => ({
      ...sealedKey(algorithm, temporaryKey),
      privateKey: wrapKwp([16, 24, 32].includes(temporaryKey.length) ? temporaryKey : randomBytes(16), pkcs8),
    });
    const der = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'der' });

    it.each(ALGORITHMS)('of %s comes in as itself, whichever way it was wrapped', async (kind) => {
      const key = privateKeyOf(kind);
      for (const algorithm of WRAPPING_ALGORITHMS) {
        for (const bytes of [16, 32]) {
          const imported = await open(kind, seal(der(key), randomBytes(bytes), algorithm));
          expect(imported.refusal).toBeNull();
          expect(imported.publicKey).toEqual(createPublicKey(key).export({ type: 'spki', format: 'der' }));
          const kept = createPrivateKey({ key: unwrapKw(wrap, imported.blob, 'padded'), format: 'der', type: 'pkcs8' });
          expect(kept.equals(key)).toBe(true);
        }
      }
    });

    it('under a temporary key of another length is told so, unless by PKCS#1 v1.5', async () => {
      const pkcs8 = der(privateKeyOf('EC-P256'));
      for (const bytes of [24, 31, 0]) {
        const answer = async (algorithm: WrappingAlgorithm) =>
          (await open('EC-P256', seal(pkcs8, randomBytes(bytes), algorithm))).refusal;
        expect(await answer('RSAES_OAEP_SHA_256')).toBe('TEMPORARY_KEY_LENGTH');
        expect(await answer('RSAES_OAEP_SHA_1')).toBe('TEMPORARY_KEY_LENGTH');
        expect(await answer('RSAES_PKCS1_V1_5')).toBe('IMPORT_INVALID');
      }
    });

    it('that does not open under the temporary key tells nothing about PKCS#1 v1.5', async () => {
      const good = seal(der(privateKeyOf('EC-P256')), randomBytes(32), 'RSAES_PKCS1_V1_5');
      const attempts: SealedMaterial[] = [
        { ...good, privateKey: wrapKwp(randomBytes(32), der(privateKeyOf('EC-P256'))) },
        { ...good, privateKey: good.privateKey.subarray(8) },
        { ...good, privateKey: Buffer.alloc(0) },
        { ...good, wrappedKey: raw(Buffer.alloc(256, 1)) },
        { ...good, wrappedKey: good.wrappedKey.subarray(1) },
      ];
      for (const sealed of attempts) {
        expect(await open('EC-P256', sealed)).toEqual({
          blob: Buffer.alloc(0),
          publicKey: Buffer.alloc(0),
          refusal: 'IMPORT_INVALID',
        });
      }
      const oaep = seal(der(privateKeyOf('EC-P256')));
      const other = { ...oaep, privateKey: good.privateKey };
      expect((await open('EC-P256', other)).refusal).toBe('PRIVATE_KEY_INVALID');
    });

    const wrong: Record<string, () => Buffer> = {
      'of another size': () => der(privateKeyOf('RSA-3072')),
      'of another type': () => der(privateKeyOf('EC-P256')),
      'for PSS only': () => der(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey),
      'with the exponent 3': () =>
        der(generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).privateKey),
      'in PKCS#1': () => privateKeyOf('RSA-2048').export({ type: 'pkcs1', format: 'der' }),
      'with a changed modulus': () => {
        const bytes = der(privateKeyOf('RSA-2048'));
        const at = bytes.indexOf(Buffer.from(privateKeyOf('RSA-2048').export({ format: 'jwk' }).n ?? '', 'base64url'));
        return Buffer.concat([bytes.subarray(0, at + 100), randomBytes(8), bytes.subarray(at + 108)]);
      },
      'that is a public key': () => createPublicKey(privateKeyOf('RSA-2048')).export({ type: 'spki', format: 'der' }),
      'that is encrypted': () =>
        privateKeyOf('RSA-2048').export({ type: 'pkcs8', format: 'der', cipher: 'aes-256-cbc', passphrase: 'x' }),
      'that is noise': () => randomBytes(1200),
    };
    it.each(Object.keys(wrong))('%s is PRIVATE_KEY_INVALID for RSA-2048', async (what) => {
      const { refusal } = await open('RSA-2048', seal(wrong[what]?.() as Buffer));
      expect(refusal).toBe('PRIVATE_KEY_INVALID');
    });

    it('on another curve, or with the public half of another, is PRIVATE_KEY_INVALID for EC-P256', async () => {
      const key = privateKeyOf('EC-P256');
      const point = (of: KeyObject) => createPublicKey(of).export({ type: 'spki', format: 'der' }).subarray(-64);
      const pkcs8 = der(key);
      const at = pkcs8.indexOf(point(key));
      const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
      const mixed = Buffer.concat([pkcs8.subarray(0, at), point(other), pkcs8.subarray(at + 64)]);
      const secp256k1 = der(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey);
      for (const bytes of [mixed, secp256k1, der(privateKeyOf('EC-P384'))]) {
        expect((await open('EC-P256', seal(bytes))).refusal).toBe('PRIVATE_KEY_INVALID');
      }
    });

    it('leaves nothing on the token', async () => {
      const before = unit.inventory().length;
      await open('EC-P256', seal(der(privateKeyOf('EC-P256'))));
      expect(unit.inventory()).toHaveLength(before);
    });
  });

  it('with a pair that does not open is KEY_ROW_INVALID', async () => {
    const sealed = sealedKey('RSAES_PKCS1_V1_5', randomBytes(32));
    for (const bad of [unit.generateRootKey(wrapId), Buffer.alloc(0), blob.subarray(8)]) {
      await expect(unit.external.importKey(wrapId, bad, sealed)).rejects.toEqual(refused('KEY_ROW_INVALID'));
    }
  });
});

describe('a private key that came in', () => {
  it.each(devices.flatMap((from) => devices.map((to) => ({ from, to }))))(
    'on a unit of $from.name signs on another of $to.name with the same master key',
    async ({ from, to }) => {
      const one = await MasteredUnit.make(from);
      const imported: { kind: PrivateKeyAlgorithm; key: ImportedPrivateKey }[] = [];
      const pair = await one.unit.generateImportPair(2048);
      const pairBlob = pair.wrapUnder(wrapId);
      const to2048 = createPublicKey({ key: pair.publicKey, format: 'der', type: 'spki' });
      pair.destroy();
      for (const kind of ALGORITHMS) {
        const temporaryKey = randomBytes(32);
        const pkcs8 = privateKeyOf(kind).export({ type: 'pkcs8', format: 'der' });
        const sealed = {
          algorithm: 'RSAES_OAEP_SHA_256',
          wrappedKey: encryptTo(to2048, 'RSAES_OAEP_SHA_256', temporaryKey),
          privateKey: wrapKwp(temporaryKey, pkcs8),
        } as const;
        imported.push({ kind, key: await one.unit.external.importPrivateKey(wrapId, pairBlob, kind, sealed) });
      }
      one.end();
      const other = await MasteredUnit.make(to);
      try {
        for (const { kind, key } of imported) {
          const half = { algorithm: kind, publicKey: key.publicKey, wrapped: key.blob };
          const algorithm = kind.startsWith('RSA') ? 'RSASSA_PSS_SHA_256' : 'ECDSA_SHA_256';
          const digest = randomBytes(32);
          const signature = await other.unit.external.sign(wrapId, half, algorithm, digest);
          expect(other.unit.external.verify(wrapId, half, algorithm, digest, signature)).toBe(true);
        }
      } finally {
        other.end();
      }
    },
  );
});
