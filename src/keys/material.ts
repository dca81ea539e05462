/** A key encrypted under the public key of the import token, with the nonce as proof (spec of the import token). */
export interface SecureMaterial {
  /** RSAES-OAEP ciphertext of 16, 24 or 32 bytes. */
  readonly wrappedKey: Buffer;
  /** AES-GCM under the key itself: 12 bytes and the tag of 16. */
  readonly encryptedNonce: Buffer;
  /** 12 bytes. */
  readonly iv: Buffer;
  readonly oaep: 'SHA-256' | 'SHA-1';
}

/** Key material that a client brings: in clear, or encrypted for the import token, or none. */
export interface Material {
  readonly material?: Buffer | undefined;
  readonly secure?: SecureMaterial | undefined;
}
