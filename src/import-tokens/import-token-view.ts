export interface ImportTokenView {
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly maxAllowedRetrievals: number;
  readonly remainingRetrievals: number;
}

export interface RetrievedImportToken extends ImportTokenView {
  /** PEM, SubjectPublicKeyInfo, RSA-4096. */
  readonly publicKey: string;
  /** 12 bytes. */
  readonly nonce: Buffer;
}
