import {
  constants,
  createHash,
  createPublicKey,
  type KeyObject,
  randomBytes,
  type SignKeyObjectInput,
  sign,
  verify,
} from 'node:crypto';
import pkcs11js, { type Handle } from 'pkcs11js';
import type { PrivateKeyAlgorithm, PrivateKeyBlob } from '../../src/pkcs11/external-keys.js';
import { Kwp } from '../../src/pkcs11/kwp.js';
import { attribute } from '../../src/pkcs11/objects.js';
import { ResidentKeys } from '../../src/pkcs11/resident-keys.js';
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from '../../src/pkcs11/signing-algorithms.js';
import { SigningKeys } from '../../src/pkcs11/signing-keys.js';
import type { UnitToken } from '../../src/pkcs11/unit-token.js';
import { devices } from './devices.js';
import { MasteredUnit, wrap, wrapId } from './mastered-unit.js';
import { privateKeyOf } from './sealed-material.js';
import { wrapKwp } from './witness.js';

const refused = (code: string) => expect.objectContaining({ code });
const KINDS = ['RSA-2048', 'RSA-3072', 'RSA-4096', 'EC-P256', 'EC-P384'] as const;
const spki = (key: KeyObject) => createPublicKey(key).export({ type: 'spki', format: 'der' });

/** A key as it is stored, by OpenSSL. */
function stored(kind: PrivateKeyAlgorithm): PrivateKeyBlob {
  const key = privateKeyOf(kind);
  const wrapped = wrapKwp(wrap, key.export({ type: 'pkcs8', format: 'der' }));
  return { algorithm: kind, publicKey: spki(key), wrapped };
}

/** The second opinion: what node:crypto calls the algorithm. */
function witness(algorithm: SigningAlgorithm, key: KeyObject): { hash: string; options: SignKeyObjectInput } {
  const hash = `sha${algorithm.slice(-3)}`;
  if (algorithm.startsWith('ECDSA')) return { hash, options: { key, dsaEncoding: 'der' } };
  if (!algorithm.includes('PSS')) return { hash, options: { key, padding: constants.RSA_PKCS1_PADDING } };
  const saltLength = Number(algorithm.slice(-3)) / 8;
  return { hash, options: { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength } };
}

const CASES = KINDS.flatMap((kind) =>
  SIGNING_ALGORITHMS.filter((algorithm) => algorithm.startsWith('ECDSA') === kind.startsWith('EC')).map(
    (algorithm) => [kind, algorithm] as const,
  ),
);

describe.each(devices)('on $name', (device) => {
  let world: MasteredUnit;
  let unit: UnitToken;
  beforeAll(async () => {
    world = await MasteredUnit.make(device);
    unit = world.unit;
  });
  afterAll(() => world.end());

  it.each(CASES)('%s signs by %s as OpenSSL verifies, and verifies what OpenSSL signs', async (kind, algorithm) => {
    const key = stored(kind);
    const message = randomBytes(100);
    const { hash, options } = witness(algorithm, privateKeyOf(kind));
    const digest = createHash(hash).update(message).digest();
    const signature = await unit.external.sign(wrapId, key, algorithm, digest);
    expect(verify(hash, message, options, signature)).toBe(true);
    const theirs = sign(hash, message, options);
    expect(unit.external.verify(wrapId, key, algorithm, digest, theirs)).toBe(true);
    const other = randomBytes(digest.length);
    expect(unit.external.verify(wrapId, key, algorithm, other, theirs)).toBe(false);
  });

  describe('verification', () => {
    const digest = randomBytes(32);

    it.each(['RSA-2048', 'EC-P256'] as const)('by %s says no to every other signature, and goes on', async (kind) => {
      const key = stored(kind);
      const algorithm = kind === 'EC-P256' ? 'ECDSA_SHA_256' : 'RSASSA_PSS_SHA_256';
      const good = await unit.external.sign(wrapId, key, algorithm, digest);
      const attempts = [
        Buffer.alloc(0),
        good.subarray(1),
        good.subarray(0, -1),
        Buffer.concat([good, Buffer.alloc(1)]),
        Buffer.alloc(good.length),
        Buffer.alloc(good.length, 0xff),
        randomBytes(good.length),
        Buffer.concat([good.subarray(0, -1), Buffer.of((good.at(-1) ?? 0) ^ 1)]),
      ];
      const said = attempts.map((signature) => unit.external.verify(wrapId, key, algorithm, digest, signature));
      expect(said).toEqual(attempts.map(() => false));
      expect(unit.external.verify(wrapId, key, algorithm, digest, good)).toBe(true);
    });

    it('of an ECDSA signature wants its one DER form', async () => {
      const key = stored('EC-P256');
      const good = await unit.external.sign(wrapId, key, 'ECDSA_SHA_256', digest);
      const body = good.subarray(2);
      const long = Buffer.concat([Buffer.of(0x30, 0x81, body.length), body]);
      const raw = sign(null, digest, { key: privateKeyOf('EC-P256'), dsaEncoding: 'ieee-p1363' });
      for (const signature of [long, raw]) {
        expect(unit.external.verify(wrapId, key, 'ECDSA_SHA_256', digest, signature)).toBe(false);
      }
    });

    it('does not take PSS for PKCS#1 v1.5, nor one digest for another', async () => {
      const key = stored('RSA-2048');
      const pss = await unit.external.sign(wrapId, key, 'RSASSA_PSS_SHA_256', digest);
      expect(unit.external.verify(wrapId, key, 'RSASSA_PKCS1_V1_5_SHA_256', digest, pss)).toBe(false);
      const long = Buffer.concat([digest, Buffer.alloc(16)]);
      expect(unit.external.verify(wrapId, key, 'RSASSA_PSS_SHA_384', long, pss)).toBe(false);
    });
  });

  it('what does not fit together is BAD_REQUEST', async () => {
    const attempts = [
      ['RSA-2048', 'ECDSA_SHA_256', 32],
      ['EC-P256', 'RSASSA_PSS_SHA_256', 32],
      ['EC-P256', 'ECDSA_SHA_256', 20],
      ['RSA-2048', 'RSASSA_PKCS1_V1_5_SHA_512', 32],
      ['RSA-2048', 'RSASSA_PKCS1_V1_5_SHA_1', 20],
      ['EC-P256', 'toString', 32],
    ] as const;
    for (const [kind, algorithm, bytes] of attempts) {
      const key = stored(kind);
      await expect(unit.external.sign(wrapId, key, algorithm, randomBytes(bytes))).rejects.toEqual(
        refused('BAD_REQUEST'),
      );
      expect(() => unit.external.verify(wrapId, key, algorithm, randomBytes(bytes), Buffer.alloc(256))).toThrow(
        refused('BAD_REQUEST'),
      );
    }
  });

  it('a private key that does not open, or is another kind of key, is KEY_ROW_INVALID, and the unit goes on', async () => {
    const good = stored('RSA-2048');
    const digest = randomBytes(32);
    const changed = Buffer.from(good.wrapped).fill((good.wrapped[100] ?? 0) ^ 1, 100, 101);
    for (const wrapped of [changed, good.wrapped.subarray(8), unit.generateRootKey(wrapId), Buffer.alloc(0)]) {
      const signing = unit.external.sign(wrapId, { ...good, wrapped }, 'RSASSA_PSS_SHA_256', digest);
      await expect(signing).rejects.toEqual(refused('KEY_ROW_INVALID'));
    }
    expect(await unit.external.sign(wrapId, good, 'RSASSA_PSS_SHA_256', digest)).toHaveLength(256);
  });

  it('many signatures at a time are each right', async () => {
    const key = stored('RSA-2048');
    const digests = Array.from({ length: 20 }, () => randomBytes(32));
    const signatures = await Promise.all(
      digests.map((digest) => unit.external.sign(wrapId, key, 'RSASSA_PKCS1_V1_5_SHA_256', digest)),
    );
    const right = signatures.map((signature, i) =>
      unit.external.verify(wrapId, key, 'RSASSA_PKCS1_V1_5_SHA_256', digests[i] as Buffer, signature),
    );
    expect(right).toEqual(digests.map(() => true));
  });

  it('after a restart, and after other objects were destroyed, signs as before', async () => {
    const key = stored('RSA-2048');
    const digest = randomBytes(32);
    const before = await unit.external.sign(wrapId, key, 'RSASSA_PKCS1_V1_5_SHA_256', digest);
    unit.destroy(randomBytes(16)); // drops every cached handle
    expect(await unit.external.sign(wrapId, key, 'RSASSA_PKCS1_V1_5_SHA_256', digest)).toEqual(before);
    unit.close();
    world.open();
    unit = world.unit;
    expect(await unit.external.sign(wrapId, key, 'RSASSA_PKCS1_V1_5_SHA_256', digest)).toEqual(before);
    expect(unit.external.verify(wrapId, key, 'RSASSA_PKCS1_V1_5_SHA_256', digest, before)).toBe(true);
  });

  it('keeps private keys as sensitive session objects that nothing wraps or reads, and the least used go', () => {
    const { token } = unit;
    const keys = new SigningKeys(token, new ResidentKeys(token), new Kwp(token), 2);
    const kinds = ['EC-P256', 'EC-P384', 'RSA-2048'] as const;
    const handles = kinds.map((kind) => keys.privateHalf(wrapId, stored(kind)));
    const isThere = (handle: Handle) =>
      token.atGuard('looking', (guard) => attribute(guard, handle, pkcs11js.CKA_SIGN)?.[0] === 1);
    expect(handles.map(isThere)).toEqual([false, true, true]);
    const [, key] = handles as [Handle, Handle, Handle];
    const flag = (type: number) => token.atGuard('looking', (guard) => attribute(guard, key, type)?.[0]);
    expect([flag(pkcs11js.CKA_SENSITIVE), flag(pkcs11js.CKA_EXTRACTABLE), flag(pkcs11js.CKA_TOKEN)]).toEqual([1, 0, 0]);
    expect(flag(pkcs11js.CKA_VALUE)).toBeUndefined();
    expect(keys.privateHalf(wrapId, stored('EC-P384'))).toEqual(key);
    keys.forget();
    expect(handles.map(isThere)).toEqual([false, false, false]);
  });

  it('leaves nothing on the token', async () => {
    const before = unit.inventory().length;
    await unit.external.sign(wrapId, stored('EC-P384'), 'ECDSA_SHA_384', randomBytes(48));
    expect(unit.inventory()).toHaveLength(before);
  });
});
