/** What the token can do, found by known-answer tests at enrolment (probe.ts). Kept as data. */
export interface Capabilities {
  readonly module: string;
  /** The module is one of those that Keystead's own tests cover. */
  readonly verified: boolean;
  /** Names of what Keystead needs and the token cannot do; a unit with any is refused. */
  readonly missing: readonly string[];
  readonly aesKw: boolean;
  readonly aesGcm: 'caller-iv' | 'token-iv' | null;
  readonly hmacSha256: boolean;
  readonly ecP256Sign: boolean;
  readonly oaepUnwrap: readonly ('SHA-1' | 'SHA-256')[];
  /**
   * AES keys that clients encrypt to an import pair by OAEP are decoded outside the token, in the memory of the agent: the
   * token does raw RSA only. False: they never leave it. What comes in by PKCS#1 v1.5, and private keys, always pass
   * through that memory, on their way in.
   */
  readonly oaepFallback: boolean;
  /** Mechanism that gives RFC 5649, found by known answer: CKM number, or null. */
  readonly kwp: number | null;
  /** Kinds of private keys that the token takes in, keeps wrapped, and signs with. */
  readonly signing: readonly ('RSA' | 'EC-P256' | 'EC-P384')[];
  readonly unwrapWithValueLen: boolean;
  readonly dataObjects: boolean;
  readonly copyToSession: boolean;
  readonly refusesWrapOfUnextractable: boolean;
}
