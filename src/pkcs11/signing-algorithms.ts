/** RSA: RFC 8017 sections 8.1 (salt as long as the digest) and 8.2. ECDSA: FIPS 186-5. */
export const SIGNING_ALGORITHMS = [
  'RSASSA_PSS_SHA_256',
  'RSASSA_PSS_SHA_384',
  'RSASSA_PSS_SHA_512',
  'RSASSA_PKCS1_V1_5_SHA_256',
  'RSASSA_PKCS1_V1_5_SHA_384',
  'RSASSA_PKCS1_V1_5_SHA_512',
  'ECDSA_SHA_256',
  'ECDSA_SHA_384',
  'ECDSA_SHA_512',
] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/** Kinds of private keys that clients bring. `bytes`: of the modulus, or of the order of the curve. */
export const PRIVATE_KEYS = {
  'RSA-2048': { type: 'RSA', bytes: 256 },
  'RSA-3072': { type: 'RSA', bytes: 384 },
  'RSA-4096': { type: 'RSA', bytes: 512 },
  'EC-P256': { type: 'EC', bytes: 32 },
  'EC-P384': { type: 'EC', bytes: 48 },
} as const satisfies Record<string, { type: 'RSA' | 'EC'; bytes: number }>;
export type PrivateKeyAlgorithm = keyof typeof PRIVATE_KEYS;

export function isPrivateKeyAlgorithm(name: string): name is PrivateKeyAlgorithm {
  return Object.hasOwn(PRIVATE_KEYS, name);
}
