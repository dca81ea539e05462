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
   * Keys that clients encrypt to an import pair are decoded outside the token, in the memory of the agent: the token does
   * raw RSA only. False: they never leave it.
   */
  readonly oaepFallback: boolean;
  /** Mechanism that gives RFC 5649, found by known answer: CKM number, or null. */
  readonly kwp: number | null;
  readonly unwrapWithValueLen: boolean;
  readonly dataObjects: boolean;
  readonly copyToSession: boolean;
  readonly refusesWrapOfUnextractable: boolean;
}
