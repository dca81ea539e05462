import { constants, generateKeyPairSync, privateDecrypt, publicEncrypt, randomBytes } from 'node:crypto';
import { decodePkcs1Key } from './pkcs1-decode.js';

const MODULUS_BYTES = 256;
const LENGTHS = [16, 32];

/** An encoded message of this head, padding and end; the padding is as long as it must be. */
function encode(message: Buffer, { head = Buffer.of(0, 2), padding = 7, mark = Buffer.of(0) } = {}): Buffer {
  const bytes = MODULUS_BYTES - head.length - mark.length - message.length;
  return Buffer.concat([head, Buffer.alloc(bytes, padding), mark, message]);
}

it.each(LENGTHS)('reads what OpenSSL wrote: a key of %i bytes', (length) => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 8 * MODULUS_BYTES });
  for (let i = 0; i < 50; i += 1) {
    const key = randomBytes(length);
    const blob = publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_PADDING }, key);
    const encoded = privateDecrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, blob);
    expect(decodePkcs1Key(encoded, LENGTHS, randomBytes(32))).toEqual({ key, fits: true });
  }
});

it.each([
  ['the padding of SSLv3 rolled back to version 2', encode(randomBytes(32), { padding: 3 })],
  ['padding of ones', encode(randomBytes(32), { padding: 1 })],
  ['padding of 0xff', encode(randomBytes(32), { padding: 0xff })],
  ['a key that begins with zeros', encode(Buffer.concat([Buffer.alloc(8), randomBytes(24)]))],
])('takes %s', (_what, encoded) => {
  expect(decodePkcs1Key(encoded, LENGTHS, randomBytes(32))).toEqual({ key: encoded.subarray(-32), fits: true });
});

const key = randomBytes(32).fill(9, 0, 1);
const shortPadding = (bytes: number) => Buffer.concat([Buffer.of(0, 2), Buffer.alloc(bytes, 7), Buffer.of(0)]);
const malformed: readonly (readonly [string, Buffer])[] = [
  ['a first byte of one', encode(key, { head: Buffer.of(1, 2) })],
  ['a first byte of 0xff', encode(key, { head: Buffer.of(0xff, 2) })],
  ['block type 0', encode(key, { head: Buffer.of(0, 0) })],
  ['block type 1', encode(key, { head: Buffer.of(0, 1) })],
  ['block type 0xff', encode(key, { head: Buffer.of(0, 0xff) })],
  ['block type 0x82', encode(key, { head: Buffer.of(0, 0x82) })],
  ['no zero at all', encode(Buffer.alloc(32, 5), { mark: Buffer.of(4) })],
  ['padding of zeros', encode(key, { padding: 0 })],
  ['a zero one place too early', encode(key, { mark: Buffer.of(0, 8) })],
  ['a zero in the padding', encode(key, { head: Buffer.of(0, 2, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0) })],
  ['no message', encode(Buffer.alloc(0))],
  ['nothing but zeros', Buffer.alloc(MODULUS_BYTES)],
  ['nothing but ones', Buffer.alloc(MODULUS_BYTES, 0xff)],
  ['one byte', Buffer.of(0)],
  ['no bytes', Buffer.alloc(0)],
];

it.each(malformed)('refuses %s, and goes on with the substitute', (_what, encoded) => {
  const substitute = randomBytes(32);
  expect(decodePkcs1Key(encoded, LENGTHS, substitute)).toEqual({ key: substitute, fits: false });
});

it.each([0, 1, 15, 17, 24, 31, 33, 64])('takes no key of %i bytes', (length) => {
  const substitute = randomBytes(32);
  expect(decodePkcs1Key(encode(randomBytes(length)), LENGTHS, substitute)).toEqual({ key: substitute, fits: false });
});

it('wants eight bytes of padding', () => {
  for (const [bytes, fits] of [
    [7, false],
    [8, true],
  ] as const) {
    const encoded = Buffer.concat([shortPadding(bytes), key]);
    const substitute = randomBytes(32);
    expect(decodePkcs1Key(encoded, LENGTHS, substitute)).toEqual({ key: fits ? key : substitute, fits });
  }
});

it('leaves the encoded message to its owner, unchanged', () => {
  const encoded = encode(key);
  const kept = Buffer.from(encoded);
  decodePkcs1Key(encoded, LENGTHS, randomBytes(32));
  expect(encoded).toEqual(kept);
});
