import { randomBytes } from 'node:crypto';
import { useSameRealmRandom } from '../../test/same-realm-random.js';
import { Secret } from '../shared/secret.js';
import { DerivedKeys } from './derive.js';
import { blind, digestOf, type Keyshare, readKeyshare, type ShareSet, sealKeyshare } from './keyshare-file.js';
import { assertEnough, assertOneSet, combineSet, openAll } from './keyshare-set.js';
import { splitMasterKey } from './shares.js';

afterAll(useSameRealmRandom());

const passphrase = () => new Secret(Buffer.from('correct horse'));
const key = randomBytes(32);
const facts = { mkId: 'a0'.repeat(16), instance: 'one', name: 'mk', algorithm: 'AES-256', t: 2 } as const;

/** A set of 2 of 3, its files called a1, a2, a3 for the letter a. */
async function made(letter: string, change: Partial<ShareSet> = {}): Promise<Keyshare[]> {
  const blinded = splitMasterKey(new Secret(Buffer.from(key)), 3, 2).map(blind);
  const setId = randomBytes(16).toString('hex');
  const instance = change.instance ?? facts.instance;
  const mkId = Buffer.from(change.mkId ?? facts.mkId, 'hex');
  const mkvp = new DerivedKeys(new Secret(Buffer.from(key)), mkId).mkvp(instance, mkId).toString('hex');
  const digests = blinded.map((share, at) => digestOf(setId, at + 1, share));
  const at = '2026-01-01T00:00:00.000Z';
  const set: ShareSet = { ...facts, setId, n: 3, mkvp, createdAt: at, splitAt: at, digests, ...change };
  const texts = await Promise.all(
    blinded.map((share, index) => sealKeyshare(set, index + 1, share, passphrase(), { N: 16, r: 8, p: 1 })),
  );
  return texts.map((text, index) => readKeyshare(text, `${letter}${index + 1}`, 2));
}

let a: readonly [Keyshare, Keyshare, Keyshare];
let b: typeof a;
beforeAll(async () => {
  a = (await made('a')) as never;
  b = (await made('b')) as never;
});
const refused = (message: RegExp) =>
  expect.objectContaining({ code: 'KEYSHARE_INVALID', message: expect.stringMatching(message) });

describe('key share files together', () => {
  it('are one set, in any order and number', () => {
    expect(assertOneSet(a)).toEqual(a[0].set);
    expect(assertOneSet([a[2], a[0]])).toEqual(a[0].set);
    expect(assertOneSet([a[1]])).toEqual(a[0].set);
  });

  it('are refused when one is given twice, under whatever name', () => {
    expect(() => assertOneSet([a[0], { ...a[0], file: 'copy' }])).toThrow(refused(/a1 and copy are the same share/));
  });

  it('are refused when one is of another split, by its name', () => {
    expect(() => assertOneSet([a[0], a[1], b[2]])).toThrow(refused(/^b3: shares of different splits/));
  });

  it('are refused, both by name, when nobody can tell which is the wrong one', () => {
    expect(() => assertOneSet([a[0], b[1]])).toThrow(refused(/^a1, b2: /));
  });

  it('are refused when one is of another instance', async () => {
    const [, , other] = await made('c', { instance: 'two' });
    expect(() => assertOneSet([a[0], a[1], other as Keyshare])).toThrow(
      refused(/^c3: of instance two, the others of one/),
    );
  });

  it('are refused when one is of another master key', async () => {
    const [, , other] = await made('c', { mkId: 'b0'.repeat(16) });
    expect(() => assertOneSet([a[0], a[1], other as Keyshare])).toThrow(
      refused(/^c3: shares of different master keys/),
    );
  });

  it('are refused when one says something else of the same set', () => {
    const forged = { ...a[2], set: { ...a[2].set, t: 3 } };
    expect(() => assertOneSet([a[0], a[1], forged])).toThrow(refused(/^a3: .+ forged/));
  });

  it('are refused when they are too few', () => {
    expect(() => assertEnough([a[0]])).toThrow(refused(/^a1: 1 of the 2 key shares .+ give 1 more/));
    expect(() => assertEnough([a[0], a[2]])).not.toThrow();
    expect(() => assertOneSet([])).toThrow(refused(/no key share/));
  });
});

describe('opened key shares', () => {
  const open = (shares: readonly Keyshare[]) => openAll(shares, shares.map(passphrase));

  it('make the master key: t of them, or more', async () => {
    for (const shares of [[a[0], a[1]], [a[2], a[0]], [...a]]) {
      expect(combineSet(a[0].set, await open(shares)).bytes.equals(key)).toBe(true);
    }
  });

  it('are refused when they make another key than the MKVP says', async () => {
    const wrong = await made('c', { mkvp: '00'.repeat(16) });
    const opened = await open(wrong);
    expect(() => combineSet((wrong[0] as Keyshare).set, opened)).toThrow(refused(/another key than MKVP 0000/));
  });

  it('are refused by name when one passphrase is wrong', async () => {
    const passphrases = [passphrase(), new Secret(Buffer.from('wrong')), passphrase()];
    await expect(openAll(a, passphrases)).rejects.toMatchObject({
      code: 'PASSPHRASE_WRONG',
      message: expect.stringContaining('a2'),
    });
  });
});
