import type { KeyState } from './key-state.js';

/** A key as it is shown; the dialects make their shapes of it. Absent facts are null. */
export interface KeyView {
  readonly id: string;
  readonly instanceId: string;
  readonly name: string;
  readonly description: string | null;
  readonly tags: readonly string[];
  readonly aliases: readonly string[];
  readonly state: KeyState;
  /** An int when the state is not 1. */
  readonly nonactiveStateReason: number | null;
  /** true: a standard key, whose payload can be read; false: a root key. */
  readonly extractable: boolean;
  readonly imported: boolean;
  readonly keyRingId: string;
  /** Length of the key in bits. */
  readonly bits: number;
  readonly createdAt: Date;
  /** iam id: `iam-ServiceId-…`. */
  readonly createdBy: string;
  readonly updatedAt: Date;
  /** The last rotation. */
  readonly rotatedAt: Date | null;
  readonly expiresAt: Date | null;
  /** The latest version; root keys only. */
  readonly version: KeyVersionView | null;
  readonly dualAuthDelete: {
    readonly enabled: boolean;
    readonly keySetForDeletion: boolean;
    readonly authExpiresAt: Date | null;
  } | null;
  readonly rotation: { readonly enabled: boolean; readonly intervalMonth: number } | null;
  readonly deleted: boolean;
  readonly deletion: {
    readonly deletedAt: Date;
    readonly deletedBy: string;
    readonly restoreAllowed: boolean;
    readonly restoreExpiresAt: Date;
    readonly purgeAllowed: boolean;
    readonly purgeAllowedFrom: Date;
    readonly purgeScheduledOn: Date;
  } | null;
  /** Bytes of a standard key, where they were asked for: GetKey, and CreateKey. */
  readonly payload: Buffer | null;
}

export interface KeyVersionView {
  readonly id: string;
  readonly createdAt: Date;
}

export interface AliasView {
  readonly keyId: string;
  readonly alias: string;
  readonly createdAt: Date;
  readonly createdBy: string;
}

/** A policy of a key: one of the two, with who set it. */
export interface KeyPolicyView {
  readonly id: string;
  readonly keyId: string;
  readonly rotation?: { readonly enabled: boolean; readonly intervalMonth: number };
  readonly dualAuthDelete?: { readonly enabled: boolean };
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly updatedBy: string;
  readonly updatedAt: Date;
}

export interface RegistrationView {
  readonly keyId: string;
  readonly keyName: string;
  readonly resourceCrn: string;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly updatedBy: string;
  readonly updatedAt: Date;
  readonly description: string | null;
  readonly preventKeyDeletion: boolean;
  readonly version: KeyVersionView;
}
