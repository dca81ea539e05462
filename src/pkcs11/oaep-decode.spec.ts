import { constants, createHash, generateKeyPairSync, privateDecrypt, publicEncrypt, randomBytes } from 'node:crypto';
import type { OaepHash } from './mechanisms.js';
import { decodeOaep, decodeOaepKey } from './oaep-decode.js';

const hex = (text: string) => Buffer.from(text, 'hex');

/** Of Wycheproof, rsa_oaep_2048_*: the ciphertext of each, after RSADP with its key. */
const WYCHEPROOF: readonly { what: string; hash: OaepHash; message: Buffer | undefined; encoded: Buffer }[] = [
  {
    what: 'SHA-256, tcId 7: a valid message',
    hash: 'SHA-256',
    message: hex('e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff'),
    encoded: hex(
      '004d7ecf6cfd331a8268453903bf6f43d2668f150132291f26f97c5558d286c92b2500e3d9251d2dd5b8abe4a1349825' +
        '73559814bce66df367b4050b0afd7b84dcfddb21671c4a50479ebfc1d9dc414e2b1027a2006721a9fd9d39fbee3d9b67' +
        '5f3062cad304ab6f9bab59041f6ac2a094734c3cbdc1919352ceeaf03179d5dbf0c23a8d7f0b7988a2898ba2b9b059a5' +
        'c5759d874fe3a2bfae93b62d06a00f93eb836ecd2d992ffabd160ac24cb8cb555096bd3c70466b11a77db5efaedbc92f' +
        'd4ceb68f777d1c431b967e913ea15ec8f5aec24bd5f560cbb2766980ba50974b103504590470a5675dc9343f8cd713ed' +
        '7a3fe31366f6567c6907739da5b9bd42',
    ),
  },
  {
    what: 'SHA-1, tcId 7: a valid message',
    hash: 'SHA-1',
    message: hex('e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff'),
    encoded: hex(
      '00f7d85a05838a904a3e2f81bdba2da76cf17c154e13e97a5e2256298f5ada287b2ade759f4122a7e1decd6f83f92900' +
        '699ed243ca091f6a31b3cf12db72229f85a8f208c551d0cdc4e07788e626b5a6d165d1b58b59f062f41055cb91f65e71' +
        '20fe9d99f89231d27888b74ac60114ae3e9765a834886fa1b6c987198c97c2c491e79a7ae40ea8dac982a222e9467af1' +
        '6eb1f0454df427d131b7f84da7a080674f44a8a86b6cc1299e579beb5a5fb6cf7f58521b780ef0f9b9cacc6279c6ec9d' +
        'f4edb36a2b4daec16feba82551107f754cb8b15423b8afc64df76adeca7578526cdda89935abf6a64daf49de9a4eeccb' +
        'f9fbe1a51bc6d3f350acbac90570944c',
    ),
  },
  {
    what: 'SHA-256, tcId 13: last byte of l_hash modified',
    hash: 'SHA-256',
    message: undefined,
    encoded: hex(
      '00f3100af1bf0ae273bb2fab71abcb48a54d8854eba6fb56a83d110ae871fd1457d8352bdb7cce5571d8281105942b1f' +
        '8d1558421d6a7f4baacc04bbe913c61d977cd54e38af7ccc3106549c03d9c38de27ee535e007618d61b0931c0abdd778' +
        '2606a055f9ceacb46736078c8dab4f8799851a5c3160f7e6e0ff2ab3f8b1e64c96c0c8bcbe9cb9978745358666facba7' +
        'e98994f068ca0ce9088168965593ee380784d79cd810425a2969661f6327ba6f342f6814c4b06024f44c71ec5bed5d00' +
        '33ec4982f2ef5e26d9760088b1b9a364f1a83b92505186471f3550a0268ed31b45a41774f9f93b58cafad00d60a83339' +
        '80a46b4fda951ac3996c6df956246c14',
    ),
  },
  {
    what: 'SHA-256, tcId 18: ps terminated by 0xff',
    hash: 'SHA-256',
    message: undefined,
    encoded: hex(
      '00289389b2d27cbfa60603b11ffc2c38a539ba35b2ebbee85490ce2208b11ec56ed8352bdb7cce5571d8281105942b1f' +
        '8d1558421d6a7f4baacc04bbe913c61d967cd54e38af7ccc3106549c03d9c38de27ee535e007618d61b0931c0abdd778' +
        '2606a055f9ceacb46736078c8dab4f8799851a5c3160f7e6e0ff2ab3f8b1e64c96c0c8bcbe9cb9978745358666facba7' +
        'e98994f068ca0ce9088168965593ee380784d79cd810425a2969661f6327ba6f342f6814c4b06024f44c71ec5bed5d00' +
        '33ec4982f2ef5e26d9760088b1b9a364f1a83b92505186471f3550a0268ed31b45a41774f9f93b58cafad00d60a83339' +
        '80a46b4fda951ac399926df956246c14',
    ),
  },
  {
    what: 'SHA-256, tcId 23: First byte is 1',
    hash: 'SHA-256',
    message: undefined,
    encoded: hex(
      '01ef20e96e0e8c2a454a7f5a0cd158365e9be7cf10bc1623e6429221d8ec06b86ed8352bdb7cce5571d8281105942b1f' +
        '8d1558421d6a7f4baacc04bbe913c61d967cd54e38af7ccc3106549c03d9c38de27ee535e007618d61b0931c0abdd778' +
        '2606a055f9ceacb46736078c8dab4f8799851a5c3160f7e6e0ff2ab3f8b1e64c96c0c8bcbe9cb9978745358666facba7' +
        'e98994f068ca0ce9088168965593ee380784d79cd810425a2969661f6327ba6f342f6814c4b06024f44c71ec5bed5d00' +
        '33ec4982f2ef5e26d9760088b1b9a364f1a83b92505186471f3550a0268ed31b45a41774f9f93b58cafad00d60a83339' +
        '80a46b4fda951ac3996c6df956246c14',
    ),
  },
];

it.each(WYCHEPROOF)('decodes as Wycheproof says: $what', ({ hash, message, encoded }) => {
  expect(decodeOaep(encoded, hash)).toEqual(message);
});

const MODULUS_BYTES = 256;
const HASHES = [
  ['SHA-256', 'sha256', 32],
  ['SHA-1', 'sha1', 20],
] as const;

describe.each(HASHES)('with %s', (hash, name, bytes) => {
  const digest = (...parts: Buffer[]) => createHash(name).update(Buffer.concat(parts)).digest();
  const xor = (a: Buffer, b: Buffer) => Buffer.from(a.map((byte, i) => byte ^ (b[i] ?? 0)));
  const mask = (seed: Buffer, length: number) =>
    Buffer.concat(Array.from({ length: 20 }, (_, i) => digest(seed, Buffer.from([0, 0, 0, i])))).subarray(0, length);
  const room = MODULUS_BYTES - 1 - bytes;

  /** An encoded message whose data block, padding and all, is chosen by the test. */
  const encodeBlock = (block: Buffer, first = 0, seed = randomBytes(bytes)) => {
    const masked = xor(block, mask(seed, room));
    return Buffer.concat([Buffer.from([first]), xor(seed, mask(masked, bytes)), masked]);
  };
  const block = (message: Buffer, { label = Buffer.alloc(0), mark = 1, fill = 0 } = {}) => {
    const padding = Buffer.alloc(room - bytes - 1 - message.length, fill);
    return Buffer.concat([digest(label), padding, Buffer.from([mark]), message]);
  };
  const encode = (message: Buffer) => encodeBlock(block(message));

  it('reads what OpenSSL wrote, of every length', () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 8 * MODULUS_BYTES });
    for (let length = 0; length <= room - bytes - 1; length += 1) {
      const message = randomBytes(length);
      const padding = constants.RSA_PKCS1_OAEP_PADDING;
      const blob = publicEncrypt({ key: publicKey, padding, oaepHash: name }, message);
      const encoded = privateDecrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, blob);
      expect(decodeOaep(encoded, hash)).toEqual(message);
    }
  });

  it('refuses a message with any one bit changed', () => {
    const message = Buffer.from('message');
    const encoded = encode(message);
    expect(decodeOaep(encoded, hash)).toEqual(message);
    for (let bit = 0; bit < 8 * encoded.length; bit += 1) {
      const changed = Buffer.from(encoded);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      // a change in the message itself changes the seed, and with it everything
      expect(decodeOaep(changed, hash)).toBeUndefined();
    }
  });

  const malformed: readonly (readonly [string, Buffer])[] = [
    ['a first byte that is not zero', encodeBlock(block(randomBytes(32)), 1)],
    ['a label', encodeBlock(block(randomBytes(32), { label: Buffer.from('label') }))],
    ['padding that is not zero', encodeBlock(block(randomBytes(32), { fill: 0xff }))],
    ['padding of twos', encodeBlock(block(randomBytes(32), { fill: 2 }))],
    ['another mark', encodeBlock(block(Buffer.alloc(32, 7), { mark: 2 }))],
    ['no mark', encodeBlock(block(Buffer.alloc(32), { mark: 0 }))],
    ['nothing but zeros', Buffer.alloc(MODULUS_BYTES)],
    ['nothing but ones', Buffer.alloc(MODULUS_BYTES, 0xff)],
    ['noise', randomBytes(MODULUS_BYTES)],
    ['PKCS#1 v1.5', Buffer.concat([hex('0002'), Buffer.alloc(MODULUS_BYTES - 35, 9), hex('00'), randomBytes(32)])],
    ['too few bytes to be any', Buffer.alloc(2 * bytes + 1)],
    ['no bytes', Buffer.alloc(0)],
  ];

  it.each(malformed)('refuses %s, and goes on with the substitute', (_what, encoded) => {
    expect(decodeOaep(encoded, hash)).toBeUndefined();
    const substitute = randomBytes(32);
    expect(decodeOaepKey(encoded, hash, substitute)).toEqual({ key: substitute, valid: false });
  });

  it.each([16, 24, 32])('takes a key of %i bytes', (length) => {
    const key = randomBytes(length);
    expect(decodeOaepKey(encode(key), hash, randomBytes(32))).toEqual({ key, valid: true });
  });

  it.each([0, 1, 8, 15, 17, 31, 33, 64])('takes no key of %i bytes', (length) => {
    const substitute = randomBytes(32);
    const encoded = encode(randomBytes(length));
    expect(decodeOaepKey(encoded, hash, substitute)).toEqual({ key: substitute, valid: false });
  });
});
