import { constants, createCipheriv, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto';

/** What a client has of an import token. */
export interface Token {
  /** PEM. */
  readonly publicKey: string;
  readonly nonce: Buffer;
}

/** A key and the nonce, encrypted for the token. */
export interface Sealed {
  readonly payload: Buffer;
  readonly encryptedNonce: Buffer;
  readonly iv: Buffer;
}

const OAEP = constants.RSA_PKCS1_OAEP_PADDING;

function encrypt(publicKey: string, data: Buffer, { padding = OAEP, oaepHash = 'sha256', label = '' } = {}): Buffer {
  const oaep = padding === OAEP ? { oaepHash, ...(label !== '' && { oaepLabel: Buffer.from(label) }) } : {};
  return publicEncrypt({ key: publicKey, padding, ...oaep }, data);
}

/** As a client should do it: OAEP with SHA-256, and the nonce under the key itself. */
export function sealed({ publicKey, nonce }: Token, key = randomBytes(32)): Sealed {
  const iv = randomBytes(12);
  const cipher = createCipheriv(`aes-${key.length * 8}-gcm` as 'aes-256-gcm', key, iv);
  const encryptedNonce = Buffer.concat([cipher.update(nonce), cipher.final(), cipher.getAuthTag()]);
  return { payload: encrypt(publicKey, key), encryptedNonce, iv };
}

/** Bytes of the modulus. */
function sizeOf({ publicKey }: Token): number {
  return (createPublicKey(publicKey).asymmetricKeyDetails?.modulusLength ?? 0) / 8;
}

function changed(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
  return copy;
}

/** What may be wrong with an import. */
export const WRONG: Readonly<Record<string, (given: Token) => Sealed>> = {
  'noise in place of the key': (given) => ({
    ...sealed(given),
    payload: encrypt(given.publicKey, Buffer.concat([Buffer.alloc(1), randomBytes(sizeOf(given) - 1)]), {
      padding: constants.RSA_NO_PADDING,
    }),
  }),
  'a first byte that is not zero': (given) => ({
    ...sealed(given),
    payload: encrypt(given.publicKey, Buffer.alloc(sizeOf(given), 1), { padding: constants.RSA_NO_PADDING }),
  }),
  'PKCS #1 v1.5 padding': (given) => ({
    ...sealed(given),
    payload: encrypt(given.publicKey, randomBytes(32), { padding: constants.RSA_PKCS1_PADDING }),
  }),
  'another OAEP hash': (given) => ({
    ...sealed(given),
    payload: encrypt(given.publicKey, randomBytes(32), { oaepHash: 'sha1' }),
  }),
  'an OAEP label': (given) => ({
    ...sealed(given),
    payload: encrypt(given.publicKey, randomBytes(32), { label: 'label' }),
  }),
  'a ciphertext above the modulus': (given) => ({ ...sealed(given), payload: Buffer.alloc(sizeOf(given), 0xff) }),
  'a ciphertext too short': (given) => ({ ...sealed(given), payload: sealed(given).payload.subarray(1) }),
  'a key of 20 bytes': (given) => ({ ...sealed(given), payload: encrypt(given.publicKey, randomBytes(20)) }),
  'another key for the nonce': (given) => ({ ...sealed(given), payload: sealed(given).payload }),
  'a changed tag': (given) => {
    const good = sealed(given);
    return { ...good, encryptedNonce: changed(good.encryptedNonce, 27) };
  },
};
