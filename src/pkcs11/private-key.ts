import {
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import { Secret } from '../shared/secret.js';
import type { PrivateKeyAlgorithm } from './signing-algorithms.js';

/** The alternative initial value of RFC 5649 section 3, in front of the length. */
const KWP_IV = Buffer.from('a65959a6', 'hex');
/** RFC 5649 makes at least two blocks of 8 bytes; the PKCS#8 of an RSA-4096 key has about 2,380 bytes. */
const [LEAST_BYTES, MOST_BYTES] = [16, 4096];
/** FIPS 186-5 appendix A.1.1: 2^16 < e. */
const LEAST_EXPONENT = 65537n;

const EXPECTED = {
  'RSA-2048': { type: 'rsa', modulusLength: 2048 },
  'RSA-3072': { type: 'rsa', modulusLength: 3072 },
  'RSA-4096': { type: 'rsa', modulusLength: 4096 },
  'EC-P256': { type: 'ec', namedCurve: 'prime256v1' },
  'EC-P384': { type: 'ec', namedCurve: 'secp384r1' },
} as const satisfies Record<PrivateKeyAlgorithm, object>;

/** A private key that was read: `pkcs8` is DER (RFC 5958), the way OpenSSL writes it. */
export interface ReadPrivateKey {
  readonly pkcs8: Secret;
  /** SPKI DER. */
  readonly publicKey: Buffer;
}

/** AES-KWP (RFC 5649) outside the token; undefined when the bytes do not open under this key. */
export function openKwp(key: Buffer, sealed: Buffer): Secret | undefined {
  if (sealed.length < LEAST_BYTES || sealed.length > MOST_BYTES || sealed.length % 8 !== 0) return undefined;
  const cipher = createDecipheriv(`id-aes${key.length * 8}-wrap-pad`, key, KWP_IV);
  try {
    const opened = cipher.update(sealed);
    cipher.final();
    return new Secret(opened);
  } catch {
    return undefined; // the one thing that OpenSSL can find wrong here
  }
}

/** The private key in the bytes; undefined unless it is of this algorithm and its halves belong together. */
export function readPrivateKey(algorithm: PrivateKeyAlgorithm, bytes: Buffer): ReadPrivateKey | undefined {
  try {
    const privateKey = createPrivateKey({ key: bytes, format: 'der', type: 'pkcs8' });
    const publicKey = createPublicKey(privateKey);
    if (!isOf(algorithm, privateKey) || !belongTogether(privateKey, publicKey)) return undefined;
    return {
      pkcs8: new Secret(privateKey.export({ format: 'der', type: 'pkcs8' })),
      publicKey: publicKey.export({ format: 'der', type: 'spki' }),
    };
  } catch {
    return undefined; // whatever OpenSSL does not like in it
  }
}

function isOf(algorithm: PrivateKeyAlgorithm, key: KeyObject): boolean {
  const expected = EXPECTED[algorithm];
  const { modulusLength, publicExponent, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType !== expected.type) return false;
  if (expected.type === 'ec') return namedCurve === expected.namedCurve;
  return modulusLength === expected.modulusLength && (publicExponent ?? 0n) >= LEAST_EXPONENT;
}

/** SP 800-56A section 5.6.2.1.4, pairwise consistency, by a signature. */
function belongTogether(privateKey: KeyObject, publicKey: KeyObject): boolean {
  const message = randomBytes(32);
  return verify('sha256', message, publicKey, sign('sha256', message, privateKey));
}
