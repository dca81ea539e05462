import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { combine } from 'shamirs-secret-sharing';
import { useSameRealmRandom } from '../../test/same-realm-random.js';
import { Secret } from '../shared/secret.js';
import { decode, multiply, positionOf } from './second-decoder.js';
import { allSubsets, choose, combineShares, splitMasterKey } from './shares.js';

const restore = useSameRealmRandom();
afterAll(restore);

const KEY = Buffer.from(Array.from({ length: 32 }, (_, at) => at));
/**
 * Shares of 00…1f, t = 2, n = 3, coefficient i of the polynomials = SHA-256("kat" ‖ i)[0]. Checked with both builds of
 * shamirs-secret-sharing 2.0.1 and with secrets.js-grempe 2.0.0.
 */
const KNOWN = [
  '0801d3b0b22cb92e6bbb08134f7d6e97f0fc8ffb7b17cca0188a53b1decd0ed39645e65b46bb1a2e22347ed6b5eb0b358ad13af9398a5858ecaca151da80388fcff28ed20c2133573aff7568f1531f3bc2c4',
  '0802bb7d79586f5cd66b10269efadc33fde603caf60c857a302da652a1a91c9031a2d18f8c5134634454fc8477fd1659098f74fe721bb0a7c5515fbfa903701883e101b0184866a174efead5ffa03e759995',
  '080368cdcb74d672bdd01835d187b2a40d1b8c2e8d0549c728bbf5f87f7e125aa7ff37c3cafc2e5866748241c2041d7d834e4e084b9fe8f229f1fee57389489e4c1b8f65146f55f34e149fbe0ef1214f5b51',
].map((share) => Buffer.from(share, 'hex'));

const pick = (shares: readonly Buffer[], subset: readonly number[]) => subset.map((at) => shares[at] as Buffer);
const split = (n: number, t: number, key = KEY) =>
  splitMasterKey(new Secret(Buffer.from(key)), n, t).map(({ bytes }) => bytes);
const invalid = expect.objectContaining({ code: 'KEYSHARE_INVALID' });

describe('known shares', () => {
  it.each([
    [0, 1],
    [0, 2],
    [1, 2],
    [2, 0],
  ])('%i and %i make the known key, by both decoders', (...subset) => {
    const shares = pick(KNOWN, subset);
    expect(Buffer.from(combine(shares)).equals(KEY)).toBe(true);
    expect(decode(shares).equals(KEY)).toBe(true);
    expect(combineShares(shares, 2).bytes.equals(KEY)).toBe(true);
  });

  it('are cross-checked by the third', () => {
    expect(combineShares(KNOWN, 2).bytes.equals(KEY)).toBe(true);
  });
});

describe('GF(2^8) modulo 0x11D', () => {
  it('is a field whose generator is 2', () => {
    const powers = new Set<number>();
    for (let power = 1, count = 0; count < 255; count += 1, power = multiply(power, 2)) powers.add(power);
    expect(powers.size).toBe(255);
    expect(multiply(0x80, 2)).toBe(0x1d);
  });
});

describe('splitting', () => {
  it('gives n shares of which every t make the key and no t − 1 make anything', () => {
    const counts = fc
      .integer({ min: 2, max: 7 })
      .chain((n) => fc.tuple(fc.constant(n), fc.integer({ min: 2, max: n })));
    const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(counts, key, ([n, t], bytes) => {
        const secret = Buffer.from(bytes);
        const shares = split(n, t, secret);
        expect(shares.map((share) => [share.length, share[0], share[1]])).toEqual(
          shares.map((_, at) => [82, 8, at + 1]),
        );
        for (const subset of allSubsets(n, t)) {
          expect(combineShares(pick(shares, subset), t).bytes.equals(secret)).toBe(true);
        }
        for (const subset of allSubsets(n, t - 1)) {
          expect(() => combineShares(pick(shares, subset), t)).toThrow(invalid);
          expect(() => decode(pick(shares, subset))).toThrow(invalid);
        }
      }),
      { numRuns: 40 },
    );
  });

  it.each([
    [255, 255],
    [255, 2],
  ])('works for n = %i, t = %i', (n, t) => {
    const shares = split(n, t);
    expect(combineShares(shares.slice(n - t), t).bytes.equals(KEY)).toBe(true);
  });

  it.each([
    [1, 1],
    [3, 1],
    [2, 3],
    [256, 2],
    [3, 0],
    [3, 2.5],
    [3, Number.NaN],
  ])('refuses n = %s, t = %s', (n, t) => {
    expect(() => split(n, t)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it('leaves the key alone, and needs 32 bytes', () => {
    const key = new Secret(Buffer.from(KEY));
    splitMasterKey(key, 3, 2);
    expect(key.bytes.equals(KEY)).toBe(true);
    expect(() => split(3, 2, randomBytes(31))).toThrow('32 bytes');
  });

  it('refuses the shares that the package makes when it loses its random bytes: they hold the key in clear', () => {
    restore();
    try {
      expect(() => split(3, 2)).toThrow('share 1 shows bytes of the master key');
    } finally {
      useSameRealmRandom();
    }
  });

  it('gives other shares each time, that show nothing of the key', () => {
    const twice = [split(3, 2), split(3, 2)].flat();
    expect(new Set(twice.map((share) => share.toString('hex'))).size).toBe(6);
    for (const share of twice) {
      const plain = [...KEY].filter((byte, at) => share[positionOf(at)] === byte);
      expect(plain.length).toBeLessThan(8);
    }
  });
});

describe('combining refuses', () => {
  const shares = split(5, 3);
  const first = shares.slice(0, 3);
  const other = split(5, 3);
  it.each<[string, readonly Buffer[]]>([
    ['nothing', []],
    ['too few', shares.slice(0, 2)],
    ['one share twice', [...shares.slice(0, 2), shares[0] as Buffer]],
    ['a share of another set', [...shares.slice(0, 2), other[2] as Buffer]],
    ['a spare share of another set', [...first, other[3] as Buffer]],
    ['a short share', [...shares.slice(0, 2), (shares[2] as Buffer).subarray(0, 81)]],
    ['a long share', [...shares.slice(0, 2), Buffer.concat([shares[2] as Buffer, Buffer.alloc(1)])]],
    ['share 0', [...shares.slice(0, 2), Buffer.concat([Buffer.from([8, 0]), (shares[2] as Buffer).subarray(2)])]],
    ['another tag', [...shares.slice(0, 2), Buffer.concat([Buffer.from([9]), (shares[2] as Buffer).subarray(1)])]],
    ['noise', [1, 2, 3].map((x) => Buffer.concat([Buffer.from([8, x]), randomBytes(80)]))],
  ])('%s', (_, given) => {
    expect(() => combineShares(given, 3)).toThrow(invalid);
  });

  it('any bit flipped in a spare share, and any in a used one that is not a bit of the key', () => {
    let changedKeys = 0;
    for (let bit = 16; bit < 82 * 8; bit += 1) {
      const flipped = Buffer.from(shares[0] as Buffer);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(() => combineShares([...shares.slice(1, 4), flipped], 3)).toThrow(invalid);
      try {
        expect(combineShares([flipped, ...shares.slice(1, 3)], 3).bytes.equals(KEY)).toBe(false);
        changedKeys += 1; // only the digest of the share file and the MKVP see these
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: 'KEYSHARE_INVALID' });
      }
    }
    expect(changedKeys).toBeLessThanOrEqual(256);
  });
});

describe('subsets', () => {
  it('are as many as the binomial coefficient', () => {
    for (let n = 2; n <= 9; n += 1)
      for (let t = 1; t <= n; t += 1) expect([...allSubsets(n, t)]).toHaveLength(choose(n, t));
  });
});

/** The package is pinned by its bytes: its repository does not hold what npm serves, so a new release is read first. */
const PACKAGE_FILES = {
  'buffer.js': '9a93b35dc45512fe91f8a9ede335204662b89a7fbaea26b6909b9e3168c3e7da',
  'codec.js': '3667220cdef82fb88625455c98628c95b8aba6a0aeb031a75cf91328f4f888de',
  'combine.js': 'eac72bbbf892766773e8bcfd80ae91459479b5e56fd2814308453db6073c1fbb',
  'constants.js': 'cc30f958b8f520238023dfc543e42f566cd1077a26659cfd71cf216296ef7dac',
  'index.js': '9f898a1ae92b9f189843da7f74012c4b769e2007045abef73f4f431a8cd7b440',
  'split.js': '907eda8e0c2d85418b9b968319e53857df5159d7b9c30670372b5f5a898295f3',
  'table.js': '01bfcb966093bbe6902601da13eccf2ee5be99ac1694faf64efd2646294b6065',
  'module.cjs': '885ec377198cdd4ba80fb7cd710b0681d454d474a725201bd053aaec5fb41e2e',
};

describe('shamirs-secret-sharing 2.0.1', () => {
  it.each(Object.entries(PACKAGE_FILES))('%s is the file that was reviewed', (name, expected) => {
    const folder = dirname(createRequire(import.meta.url).resolve('shamirs-secret-sharing'));
    expect(
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    ).toBe(expected);
  });
});
