import { certificateNames, derElement, derElements } from './der.js';

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
