/** Which algorithms an external key can have, and what each is good for. */
export const KEY_ALGORITHMS = {
  'AES-256': { bits: 256, asymmetric: false, usages: ['ENCRYPT_DECRYPT'] },
  'RSA-2048': { bits: 2048, asymmetric: true, usages: ['SIGN_VERIFY'] },
  'RSA-3072': { bits: 3072, asymmetric: true, usages: ['SIGN_VERIFY'] },
  'RSA-4096': { bits: 4096, asymmetric: true, usages: ['SIGN_VERIFY'] },
  'EC-P256': { bits: 256, asymmetric: true, usages: ['SIGN_VERIFY'] },
  'EC-P384': { bits: 384, asymmetric: true, usages: ['SIGN_VERIFY'] },
} as const satisfies Record<string, KindFacts>;
export type KeyAlgorithm = keyof typeof KEY_ALGORITHMS;

export const KEY_USAGES = ['ENCRYPT_DECRYPT', 'SIGN_VERIFY'] as const;
export type KeyUsage = (typeof KEY_USAGES)[number];

interface KindFacts {
  readonly bits: number;
  readonly asymmetric: boolean;
  readonly usages: readonly KeyUsage[];
}

/** Whether a key of this algorithm has a public half. Keys that were imported by other ways may be AES-128 and AES-192. */
export function isAsymmetric(algorithm: string): boolean {
  return Object.hasOwn(KEY_ALGORITHMS, algorithm) && KEY_ALGORITHMS[algorithm as KeyAlgorithm].asymmetric;
}
