/** What a grant can let somebody do with one key. */
export const GRANT_OPERATIONS = [
  'describe',
  'encrypt',
  'decrypt',
  'generate-data-key',
  'generate-data-key-without-plaintext',
  'encrypt-data-key',
  'decrypt-data-key',
  'sign',
  'verify',
  'get-public-key',
  'create-grant',
  'retire-grant',
] as const;
export type GrantOperation = (typeof GRANT_OPERATIONS)[number];

export interface GrantView {
  /** 64 hex digits. */
  readonly id: string;
  readonly instanceId: string;
  readonly keyId: string;
  readonly name: string;
  readonly operations: readonly GrantOperation[];
  /** The id of a caller: an API key or an access key. */
  readonly grantee: string;
  /** Who may end it besides managers; null: only the grantee, when it may. */
  readonly retiringPrincipal: string | null;
  readonly createdBy: string;
  readonly createdAt: Date;
}

/** Grants of a list. */
export interface ListedGrants {
  readonly grants: readonly GrantView[];
  readonly total: number;
}

export interface GrantPage {
  /** 1 to 1,000; 1,000 when not given. */
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
}
