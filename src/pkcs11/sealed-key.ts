/** A nonce under a key that a client sends, and what it must be: proof that the client knows the key. */
export interface SealedNonce {
  /** AES-GCM without AAD under that key: ciphertext (12 bytes) ‖ tag (16 bytes). */
  readonly encryptedNonce: Buffer;
  /** 12 bytes. */
  readonly iv: Buffer;
  /** The nonce that was given to the client: 12 bytes. */
  readonly nonce: Buffer;
}

/** A key that a client encrypted to the public half of an import pair. */
export interface SealedKey extends SealedNonce {
  readonly oaep: 'SHA-256' | 'SHA-1';
  /** The key (16, 24 or 32 bytes), RSAES-OAEP without a label; as long as the modulus. */
  readonly wrappedKey: Buffer;
}

/** How the key material of an external key, or the temporary key beside it, was encrypted: RFC 8017 sections 7.1 and 7.2. */
export const WRAPPING_ALGORITHMS = ['RSAES_PKCS1_V1_5', 'RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'] as const;
export type WrappingAlgorithm = (typeof WRAPPING_ALGORITHMS)[number];

/** Key material of an external key that a client encrypted to the public half of an import pair. */
export interface SealedMaterial {
  readonly algorithm: WrappingAlgorithm;
  /** An AES key, or the temporary AES key (16 or 32 bytes) that opens `privateKey`; as long as the modulus. */
  readonly wrappedKey: Buffer;
  /** PKCS#8 DER (RFC 5958) under the temporary key, AES-KWP (RFC 5649). */
  readonly privateKey?: Buffer;
}
