import { certificateNames, derElement, derElements, ecdsaFromDer, ecdsaToDer } from './der.js';

describe('DER', () => {
  it('reads short and long lengths', () => {
    const long = Buffer.concat([Buffer.from('04820100', 'hex'), Buffer.alloc(256, 7)]);
    expect(derElement(Buffer.from('0402aabb', 'hex')).value.toString('hex')).toBe('aabb');
    expect(derElement(long).value).toHaveLength(256);
    expect(derElements(Buffer.from('020105040101', 'hex')).map(({ tag }) => tag)).toEqual([2, 4]);
  });
  it.each(['', '04', '0480', '0405aabb', '0482', '048501020304050607'])('refuses the bytes %p', (hex) => {
    expect(() => derElement(Buffer.from(hex, 'hex'))).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });
  it('finds the names of a certificate with and without a version field', () => {
    const name = (letter: string) => `3003${'0c01'}${letter}`;
    const fields = `020107${'3000'}${name('41')}${'3000'}${name('42')}`;
    const certificate = (tbs: string) => {
      const inner = Buffer.from(tbs, 'hex');
      const sequence = Buffer.concat([Buffer.from([0x30, inner.length]), inner]);
      return Buffer.concat([Buffer.from([0x30, sequence.length]), sequence]);
    };
    for (const tbs of [fields, `a003020102${fields}`]) {
      const { serialNumber, issuer, subject } = certificateNames(certificate(tbs));
      expect([serialNumber, issuer, subject].map((part) => part.toString('hex'))).toEqual([
        '020107',
        name('41'),
        name('42'),
      ]);
    }
    expect(() => certificateNames(certificate('020107'))).toThrow('not DER');
  });
});

describe('an ECDSA signature', () => {
  const bytes = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

  it.each([
    ['small numbers', '00000005 00000007', '3006 020105 020107'],
    ['numbers with the highest bit', 'ffffffff 80000000', '300e 020500ffffffff 02050080000000'],
    ['numbers of different length', '00000000 01020304', '3009 020100 020401020304'],
  ])('of %s goes to DER and back', (_what, raw, der) => {
    expect(ecdsaToDer(bytes(raw))).toEqual(bytes(der));
    expect(ecdsaFromDer(bytes(der), 4)).toEqual(bytes(raw));
  });

  it.each([
    ['a number without its sign byte', '3008 020180 0203010203'],
    ['a negative number', '3006 0201ff 020107'],
    ['a number with a byte too many', '3007 02020005 020107'],
    ['an empty number', '3005 0200 020107'],
    ['a number that is too long', '300a 02050102030405 020107'],
    ['one number', '3003 020105'],
    ['three numbers', '3009 020105 020107 020109'],
    ['something after it', '3006 020105 020107 00'],
    ['a long form of its length', '308106 020105 020107'],
    ['another tag', '3106 020105 020107'],
    ['octets in place of numbers', '3006 040105 040107'],
    ['a length beyond its end', '3016 020105 020107'],
    ['no bytes', ''],
  ])('with %s is none', (_what, der) => {
    expect(ecdsaFromDer(bytes(der), 4)).toBeUndefined();
  });
});
