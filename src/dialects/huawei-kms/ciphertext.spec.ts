import { randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { packed, unpacked } from './ciphertext.js';

const keyId = '0d0466b0-e727-4d9c-b35d-f84bb474a37f';
const versionId = '7b6da8ad-cef0-4b1a-8f5e-1fae14bd9a5c';
/** iv ‖ n bytes ‖ tag */
const sealedOf = (n: number) => randomBytes(12 + n + 16);

it.each([
  [1, 188],
  [16, 188],
  [17, 208],
  [4096, 5628],
])('a plaintext of %i bytes gives %i characters of base64', (n, characters) => {
  expect(packed({ keyId, versionId, sealed: sealedOf(n) }).toString('base64')).toHaveLength(characters);
});

it('a data key of 64 bytes gives 376 hex digits', () => {
  expect(packed({ keyId, versionId, sealed: sealedOf(64) }).toString('hex')).toHaveLength(376);
});

it('begins, and ends with the key id, as the vendor’s do', () => {
  const bytes = packed({ keyId, versionId, sealed: sealedOf(33) });
  expect([bytes[0], bytes[1], bytes.readUInt16LE(2)]).toEqual([2, 0, bytes.length - 36]);
  expect(bytes.subarray(-72, -36).toString()).toBe(keyId);
  expect(bytes.subarray(-36, -32).toString('hex')).toBe('00000000');
});

it('is read back as it was, whatever the length', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 28, maxLength: 400 }), (bytes) => {
      const given = { keyId: randomUUID(), versionId: randomUUID(), sealed: Buffer.from(bytes) };
      expect(unpacked(packed(given))).toEqual(given);
    }),
  );
});

it('refuses every change of a byte, and every other length', () => {
  const bytes = packed({ keyId, versionId, sealed: sealedOf(20) });
  for (let at = 0; at < bytes.length; at += 1) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
    expect(() => unpacked(changed)).toThrow('Invalid cipher_text');
    expect(() => unpacked(bytes.subarray(0, at))).toThrow('Invalid cipher_text');
  }
  expect(() => unpacked(Buffer.concat([bytes, Buffer.alloc(16)]))).toThrow('Invalid cipher_text');
});
