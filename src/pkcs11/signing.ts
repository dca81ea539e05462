import pkcs11js, { type Mechanism } from 'pkcs11js';
import { needs } from '../shared/errors.js';
import { ecdsaFromDer, ecdsaToDer } from './der.js';
import { MECHANISMS } from './mechanisms.js';
import { PRIVATE_KEYS, type PrivateKeyAlgorithm, SIGNING_ALGORITHMS } from './signing-algorithms.js';

/** `info`: DER of DigestInfo up to the digest (RFC 8017 section 9.2 note 1). */
const DIGESTS = {
  SHA_256: {
    bytes: 32,
    info: Buffer.from('3031300d060960864801650304020105000420', 'hex'),
    hashAlg: pkcs11js.CKM_SHA256,
    mgf: pkcs11js.CKG_MGF1_SHA256,
  },
  SHA_384: {
    bytes: 48,
    info: Buffer.from('3041300d060960864801650304020205000430', 'hex'),
    hashAlg: pkcs11js.CKM_SHA384,
    mgf: pkcs11js.CKG_MGF1_SHA384,
  },
  SHA_512: {
    bytes: 64,
    info: Buffer.from('3051300d060960864801650304020305000440', 'hex'),
    hashAlg: pkcs11js.CKM_SHA512,
    mgf: pkcs11js.CKG_MGF1_SHA512,
  },
} as const;

/** How a token signs a digest: with what, which bytes, and how its signature and the one of the outside world differ. */
export interface SigningPlan {
  readonly mechanism: Mechanism;
  readonly data: Buffer;
  /** Of the signature as the token gives it. */
  readonly bytes: number;
  toOutside(signature: Buffer): Buffer;
  /** Undefined when no signature of this key looks so. */
  toToken(signature: Buffer): Buffer | undefined;
}

/** Throws BAD_REQUEST when the algorithm is unknown or not of this kind of key, or the digest has another length. */
export function signingPlan(kind: PrivateKeyAlgorithm, algorithm: string, digest: Buffer): SigningPlan {
  const { type, bytes } = PRIVATE_KEYS[kind];
  const known = (SIGNING_ALGORITHMS as readonly string[]).includes(algorithm);
  needs(known, 'BAD_REQUEST', `${algorithm} is no signing algorithm; there are ${SIGNING_ALGORITHMS.join(', ')}`);
  const isEc = algorithm.startsWith('ECDSA');
  needs(isEc === (type === 'EC'), 'BAD_REQUEST', `${kind} does not sign by ${algorithm}`);
  const hash = DIGESTS[algorithm.slice(-7) as keyof typeof DIGESTS];
  const size = hash.bytes;
  needs(digest.length === size, 'BAD_REQUEST', `the digest for ${algorithm} has ${size} bytes, not ${digest.length}`);
  if (isEc) return ecdsaPlan(digest, bytes);
  return { ...rsaPlan(algorithm.includes('PSS'), hash, digest), bytes, ...asItIs(bytes) };
}

function rsaPlan(isPss: boolean, hash: (typeof DIGESTS)[keyof typeof DIGESTS], digest: Buffer) {
  if (!isPss) {
    return { mechanism: { mechanism: MECHANISMS.CKM_RSA_PKCS }, data: Buffer.concat([hash.info, digest]) };
  }
  const { hashAlg, mgf, bytes: saltLen } = hash;
  const parameter = { type: pkcs11js.CK_PARAMS_RSA_PSS, hashAlg, mgf, saltLen };
  return { mechanism: { mechanism: MECHANISMS.CKM_RSA_PKCS_PSS, parameter }, data: Buffer.from(digest) };
}

/** A digest longer than the order counts by its leftmost bytes (FIPS 186-5 section 6.4.1); not every module cuts it. */
function ecdsaPlan(digest: Buffer, orderBytes: number): SigningPlan {
  return {
    mechanism: { mechanism: MECHANISMS.CKM_ECDSA },
    data: Buffer.from(digest.subarray(0, orderBytes)),
    bytes: 2 * orderBytes,
    toOutside: ecdsaToDer,
    toToken: (signature) => ecdsaFromDer(signature, orderBytes),
  };
}

function asItIs(bytes: number): Pick<SigningPlan, 'toOutside' | 'toToken'> {
  return {
    toOutside: (signature) => signature,
    toToken: (signature) => (signature.length === bytes ? signature : undefined),
  };
}
