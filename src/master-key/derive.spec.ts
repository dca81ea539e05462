import { randomBytes } from 'node:crypto';
import { spell } from '../shared/check-value.js';
import { Secret } from '../shared/secret.js';
import { DerivedKeys, hkdf, mixMasterKey } from './derive.js';

const range = (from: number, to: number) => Buffer.from(Array.from({ length: to - from + 1 }, (_, at) => from + at));
const mkId = range(0x00, 0x0f);
const INSTANCE = 'c28a8939-3980-4697-a80c-50b1f8bbf160';

describe('HKDF-SHA-256', () => {
  it.each([
    [
      'A.1',
      Buffer.alloc(22, 0x0b),
      range(0x00, 0x0c),
      range(0xf0, 0xf9),
      '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
    ],
    [
      'A.2',
      range(0x00, 0x4f),
      range(0x60, 0xaf),
      range(0xb0, 0xff),
      'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c' +
        '59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87',
    ],
  ])('gives the answer of RFC 5869 %s', (_, material, salt, info, okm) => {
    expect(hkdf(new Secret(material), salt, info, okm.length / 2).bytes.toString('hex')).toBe(okm);
  });
});

describe('the keys of a master key', () => {
  const keys = new DerivedKeys(new Secret(range(0x00, 0x1f)), mkId);

  it('are the known ones (computed with Python hmac and cryptography)', () => {
    const mkvp = keys.mkvp(INSTANCE, mkId);
    expect({
      wrap: keys.wrap.bytes.toString('hex'),
      mac: keys.mac.bytes.toString('hex'),
      check: keys.check.bytes.toString('hex'),
      mkvp: mkvp.toString('hex'),
      blob: keys.checkBlob().toString('hex'),
      answer: keys.checkAnswer(mkvp).toString('hex'),
    }).toEqual({
      wrap: '09df29c16f8d29b898a85766ad0dacc8fffced7860ddd493c53940b2b918c31b',
      mac: '33d06eea1fe4f046895fa3a84e940ea9945172836de3759f08892ec14d42739e',
      check: 'afc9b63623853ac5f5ea9135b06bf5f90a8790e85a81a6294c1e43f17008fa9d',
      mkvp: '0982cca040ae0129d87a75cc63351c58',
      blob: '0a8dc27717a33a956d0a84e023e98eb53c3b94df2124469cab60d82e94befe0b4def075b71ae82a4',
      answer: '6addc23f3f2fa0d83ed5f0d5c5ac2c6a1bf4e7387ffa973cc0243b6dc4a00b54',
    });
    expect(spell(mkvp)).toBe('0982-CCA0-40AE-0129-D87A-75CC-6335-1C58');
  });

  it('are checked by a value of this instance and this master key only', () => {
    const mkvp = keys.mkvp(INSTANCE, mkId);
    expect(keys.mkvp('another', mkId).equals(mkvp)).toBe(false);
    expect(keys.mkvp(INSTANCE, randomBytes(16)).equals(mkvp)).toBe(false);
  });

  it('are wiped together', () => {
    const gone = new DerivedKeys(new Secret(randomBytes(32)), mkId);
    gone[Symbol.dispose]();
    for (const { bytes } of [gone.wrap, gone.mac, gone.check]) expect(bytes.every((byte) => byte === 0)).toBe(true);
  });
});

describe('a new master key', () => {
  it('differs every time, though the unit says the same', () => {
    const unitRandom = randomBytes(32);
    const made = Array.from({ length: 20 }, () => mixMasterKey(unitRandom, mkId).bytes.toString('hex'));
    expect(new Set(made).size).toBe(20);
    expect(made[0]).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each([Buffer.alloc(32), Buffer.alloc(32, 0xff), randomBytes(31), randomBytes(33), Buffer.alloc(0)])(
    'is not made of what is no random from a unit (%#)',
    (unitRandom) => {
      expect(() => mixMasterKey(unitRandom, mkId)).toThrow(expect.objectContaining({ code: 'UNIT_FAULT' }));
    },
  );
});
