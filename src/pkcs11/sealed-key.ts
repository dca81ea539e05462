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
