import { createHash, randomBytes } from 'node:crypto';
import { canonicalJson } from '../shared/canonical-json.js';
import { KeysteadError } from '../shared/errors.js';
import { Secret } from '../shared/secret.js';
import {
  blind,
  digestOf,
  type Keyshare,
  openKeyshare,
  readKeyshare,
  type ShareSet,
  sealKeyshare,
} from './keyshare-file.js';
import { combineSet } from './keyshare-set.js';

/**
 * Shares 1 and 3 of the known set of shares.spec.ts, for the passphrase 'correct horse #1'. A reader in Python, with
 * hashlib and cryptography, opened both.
 */
const SET = {
  format: 'keystead-keyshare/v1',
  scheme: 'sss-gf256-11d/v1',
  mkId: '000102030405060708090a0b0c0d0e0f',
  setId: 'f0e1d2c3b4a5968778695a4b3c2d1e0f',
  instance: 'c28a8939-3980-4697-a80c-50b1f8bbf160',
  name: 'mk 1',
  algorithm: 'AES-256',
  t: 2,
  n: 3,
  mkvp: '0982cca040ae0129d87a75cc63351c58',
  createdAt: '2026-01-01T00:00:00.000Z',
  splitAt: '2026-01-01T00:00:00.001Z',
  digests: [
    '6f0a339af2fc45ec2934962d04e3249e3539414677739903a51011808e5a0a92',
    '4c5d382259a692e9ada1018f63aa80be70348740d57ae1f984cbd6f9e6ffc91c',
    '555785abf3738dce985026b83818b7d23044144a3332abf45736e4b8bdf2d08d',
  ],
};
const GOLDEN = [
  {
    ...SET,
    ...{
      index: 1,
      kdf: { name: 'scrypt', N: 16384, r: 8, p: 1, salt: '95d1d2a284aa31b601abb6426def4f80' },
      cipher: { name: 'AES-256-GCM', iv: 'b1be188fb94448359337b949' },
      ciphertext:
        'reFxJW42Nzclj+ZaOA5vgF8s3d7iT26HCHQdXih2rHSb0PRIU7e4jz1NDVt/uvALTIoOoZR8OcmmmgluZQsHllIbaKmZCOXdmErzH27L8g5Ova0L/W/gDHXyFK6uSAUFeB313CQYdvkis92wPJzqHL3V53mfQI644Va0GuT/IJn/SQ==',
      checksum: '3623c606c5eb06f3193740866a9e87d17123a958dd56eb40b8cf89bfbb75efaf',
    },
  },
  {
    ...SET,
    ...{
      index: 3,
      kdf: { name: 'scrypt', N: 16384, r: 8, p: 1, salt: 'daf1c5cae284c5599eec85b9cb2a5e6e' },
      cipher: { name: 'AES-256-GCM', iv: '3adcf4461d5e2dd066d6ac62' },
      ciphertext:
        'VrWqLhnThsoX8Fu37+Xxng5xKLIk7Km8KUxwNTo3I04YLZ5Sq3s7pQmZVYH5IIBc48qge0AA+zkC3k8OkAdiTwj3kYuHuxrKMC1WrooSP2kHiX8Z3lJvN3TOWRjEVsBRDGSjkgxZl+8iyjVp5njYc0n0L12y6Q08BpPpJFZ/bXzJ4Q==',
      checksum: '6f3e51693ad3a7d5c140cf4686976583985d6a82514ebe4d60b9bf03ae72c5cf',
    },
  },
].map((file) => JSON.stringify(file));

const CHEAP = { N: 16, r: 8, p: 1 };
const secret = (text: string) => new Secret(Buffer.from(text));
const PASSPHRASE = 'correct horse #1';
const invalid = expect.objectContaining({ code: 'KEYSHARE_INVALID', message: expect.stringContaining('a.share') });

const shareOf = (index: number) => new Secret(Buffer.concat([Buffer.from([8, index]), randomBytes(80)]));
const BLINDED = [1, 2, 3].map((index) => blind(shareOf(index)));
const set: ShareSet = {
  mkId: 'aa'.repeat(16),
  setId: 'bb'.repeat(16),
  instance: 'c28a8939-3980-4697-a80c-50b1f8bbf160',
  name: 'mk',
  algorithm: 'AES-256',
  t: 2,
  n: 3,
  mkvp: 'cc'.repeat(16),
  createdAt: '2026-01-01T00:00:00.000Z',
  splitAt: '2026-01-01T00:00:00.000Z',
  digests: BLINDED.map((blinded, at) => digestOf('bb'.repeat(16), at + 1, blinded)),
};
const seal = (blinded = BLINDED[0] as Secret, index = 1, of = set) =>
  sealKeyshare(of, index, blinded, secret(PASSPHRASE), CHEAP);
const read = (text: string | Buffer) => readKeyshare(text, 'a.share', 2);
const open = (text: string | Buffer, passphrase = PASSPHRASE) => openKeyshare(read(text), secret(passphrase));

/** The text with the checksum it would have if it had been written so. */
function checksummed(file: object): string {
  const { checksum: _, ...body } = file as { checksum?: string };
  const checksum = createHash('sha256').update(canonicalJson(body)).digest('hex');
  return JSON.stringify({ ...body, checksum });
}

describe('a key share file', () => {
  it('gives back its share', async () => {
    const text = await seal();
    expect((await open(text)).bytes.equals((BLINDED[0] as Secret).bytes.subarray(32))).toBe(true);
    expect(read(text)).toMatchObject({ file: 'a.share', index: 1, set });
  });

  it('is read as it was written a version ago: a known set makes the known master key', async () => {
    const shares = GOLDEN.map((text, at) => readKeyshare(text, `${at}.share`));
    const opened = await Promise.all(shares.map((share) => openKeyshare(share, secret(PASSPHRASE))));
    const key = combineSet((shares[0] as Keyshare).set, opened);
    expect(key.bytes.equals(Buffer.from(Array.from({ length: 32 }, (_, at) => at)))).toBe(true);
  });

  it('has a salt, an IV and a blinding of its own', async () => {
    const [one, two] = [JSON.parse(await seal()), JSON.parse(await seal())];
    expect([one.kdf.salt === two.kdf.salt, one.cipher.iv === two.cipher.iv]).toEqual([false, false]);
    const share = shareOf(1);
    expect(digestOf(set.setId, 1, blind(share))).not.toBe(digestOf(set.setId, 1, blind(share)));
  });

  it('says how its passphrase is stretched: scrypt N = 2^17, r = 8, p = 1 by default', async () => {
    const text = await sealKeyshare(set, 1, BLINDED[0] as Secret, secret(PASSPHRASE));
    expect(JSON.parse(text).kdf).toMatchObject({ name: 'scrypt', N: 131_072, r: 8, p: 1 });
    expect(readKeyshare(text, 'a.share').index).toBe(1);
  });

  it('shows neither the share nor the passphrase', async () => {
    const text = await seal();
    const share = (BLINDED[0] as Secret).bytes.subarray(34);
    for (const encoding of ['hex', 'base64'] as const)
      expect(text).not.toContain(share.toString(encoding).slice(0, 20));
    expect(text).not.toContain('horse');
  });

  it.each(['correct horse #2', '', 'Correct horse #1', 'correct horse #1 '])(
    'refuses the passphrase "%s"',
    async (wrong) => {
      const text = await seal();
      await expect(open(text, wrong)).rejects.toMatchObject({
        code: 'PASSPHRASE_WRONG',
        message: expect.stringContaining('a.share'),
      });
    },
  );

  it('survives an editor: blanks and line ends are free', async () => {
    const text = await seal();
    for (const variant of [text.replaceAll('\n', '\r\n'), JSON.stringify(JSON.parse(text)), `${text}\n\n`]) {
      expect(read(variant).index).toBe(1);
    }
  });
});

describe('a damaged key share file is refused by name', () => {
  it('whichever bit of the file was flipped', async () => {
    const text = Buffer.from(await seal());
    for (let bit = 0; bit < text.length * 8; bit += 1) {
      const flipped = Buffer.from(text);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(() => read(flipped)).toThrow(invalid);
    }
  });

  it('whichever byte was flipped, also when the checksum was made to fit', async () => {
    const text = Buffer.from(await seal());
    let opened = 0;
    for (let at = 0; at < text.length * 2; at += 1) {
      const flipped = Buffer.from(text);
      flipped[at >> 1] = (flipped[at >> 1] as number) ^ (at % 2 === 0 ? 1 : 2);
      let share: Keyshare;
      try {
        share = read(checksummed(JSON.parse(flipped.toString())));
      } catch (thrown) {
        if (!(thrown instanceof KeysteadError || thrown instanceof SyntaxError)) throw thrown;
        continue;
      }
      if (
        canonicalJson(share.header) === canonicalJson(read(text).header) &&
        share.ciphertext.equals(read(text).ciphertext)
      )
        continue;
      opened += 1;
      await expect(openKeyshare(share, secret(PASSPHRASE))).rejects.toThrow(KeysteadError);
    }
    expect(opened).toBeGreaterThan(500);
  });

  it('whichever bit of its share or blinding was flipped before it was encrypted', async () => {
    const { bytes } = BLINDED[0] as Secret;
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      await expect(open(await seal(new Secret(flipped)))).rejects.toEqual(invalid);
    }
  });

  it('wherever it was cut off or made longer', async () => {
    const text = await seal();
    for (let length = 0; length < text.length - 1; length += 3)
      expect(() => read(text.slice(0, length))).toThrow(invalid);
    expect(() => read(`${text}{}`)).toThrow(invalid);
    expect(() => read(`${text}\u0000`)).toThrow(invalid);
  });

  it('when it holds another share of the set than it says', async () => {
    await expect(open(await seal(BLINDED[1], 1))).rejects.toEqual(invalid);
    const digests = [set.digests[1] as string, set.digests[0] as string, set.digests[2] as string];
    const forged = { ...set, digests: [digestOf(set.setId, 1, BLINDED[1] as Secret), ...digests.slice(1)] };
    await expect(open(await seal(BLINDED[1], 1, forged))).rejects.toEqual(invalid);
  });
});

describe('a key share file of another shape is refused by name', () => {
  it.each<[string, (file: Record<string, unknown> & { kdf: object; cipher: object }) => object]>([
    ['another format', (file) => ({ ...file, format: 'keystead-keyshare/v2' })],
    ['no format', ({ format: _, ...file }) => file],
    ['another scheme', (file) => ({ ...file, scheme: 'sss-gf256-11b/v1' })],
    ['an unknown member', (file) => ({ ...file, x: 1 })],
    ['a missing member', ({ mkvp: _, ...file }) => file],
    ['t = 1', (file) => ({ ...file, t: 1 })],
    ['t above n', (file) => ({ ...file, t: 4 })],
    ['an index above n', (file) => ({ ...file, index: 4 })],
    ['index 0', (file) => ({ ...file, index: 0 })],
    ['fewer digests than n', (file) => ({ ...file, digests: set.digests.slice(1) })],
    ['a name of nine letters', (file) => ({ ...file, name: '123456789' })],
    ['a KDF of no cost', (file) => ({ ...file, kdf: { ...file.kdf, N: 1 } })],
    ['an N that is no power of two', (file) => ({ ...file, kdf: { ...file.kdf, N: 24 } })],
    ['more than 2 GiB of memory by N', (file) => ({ ...file, kdf: { ...file.kdf, N: 2 ** 22 } })],
    ['more than 2 GiB of memory by r', (file) => ({ ...file, kdf: { ...file.kdf, r: 2 ** 30 } })],
    ['another KDF', (file) => ({ ...file, kdf: { ...file.kdf, name: 'pbkdf2' } })],
    ['another cipher', (file) => ({ ...file, cipher: { ...file.cipher, name: 'AES-128-GCM' } })],
    ['an IV of 16 bytes', (file) => ({ ...file, cipher: { ...file.cipher, iv: '00'.repeat(16) } })],
    ['a tag of 4 bytes', (file) => ({ ...file, ciphertext: randomBytes(118).toString('base64') })],
    ['a list', (file) => [file]],
  ])('%s', async (_, change) => {
    const text = checksummed(change(JSON.parse(await seal())));
    expect(() => read(text)).toThrow(invalid);
  });

  it('an N below 2^14, as every reader but this test asks for', async () => {
    const text = await seal();
    expect(() => readKeyshare(text, 'a.share')).toThrow(invalid);
  });

  it.each(['', 'null', '[]', '{}', '# RSA key\nMOD=00', '\u0000'.repeat(100)])(
    'what is no share at all (%#)',
    (text) => {
      expect(() => read(text)).toThrow(invalid);
    },
  );
});
