import type { KeyUsage } from './key-kinds.js';
import type { Labels } from './key-labels.js';
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
  /** Its material comes from outside, and can be away. */
  readonly external: boolean;
  /** `AES-256`, `RSA-3072`, `EC-P256`, … */
  readonly algorithm: string;
  readonly usage: KeyUsage;
  readonly labels: Labels;
  /** When the material goes; null: never, or there is none. */
  readonly materialExpiresAt: Date | null;
  /** When the key is gone for good; null: no deletion is scheduled. */
  readonly deletionDueAt: Date | null;
  readonly keyRingId: string;
  /** Length of the key in bits. */
  readonly bits: number;
  readonly createdAt: Date;
  /** iam id: `iam-ServiceId-…`. */
  readonly createdBy: string;
  readonly updatedAt: Date;
  /** The last act that changed its life. */
  readonly changedAt: Date;
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
  /** `intervalDays` is null where the interval is in months; where it is in days, `intervalMonth` is about as long. */
  readonly rotation: {
    readonly enabled: boolean;
    readonly intervalMonth: number;
    readonly intervalDays: number | null;
  } | null;
  /** When the policy rotates the key next. */
  readonly rotationDueAt: Date | null;
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
