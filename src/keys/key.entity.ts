import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { KeyUsage } from './key-kinds.js';
import type { KeyState } from './key-state.js';

/** A policy of a key, as it stands in its row. */
interface StoredPolicy {
  readonly id: string;
  readonly enabled: boolean;
  readonly createdBy: string;
  /** ISO dates: this is JSON. */
  readonly createdAt: string;
  readonly updatedBy: string;
  readonly updatedAt: string;
}
export type StoredDualAuth = StoredPolicy;
export interface StoredRotation extends StoredPolicy {
  readonly intervalMonth: number;
  /** Absent: the interval is in months. */
  readonly intervalDays?: number;
}

/**
 * A key of an instance: its name and life. Its material stands in its versions, whose MACs cover what matters here
 * (key-row.ts). The partial indexes are in the migration.
 */
@Entity('keys')
@Index('keys_instance', ['instanceId', 'id'])
@Index('keys_ring', ['instanceId', 'keyRingId', 'id'])
@Index('keys_state', ['instanceId', 'state', 'id'])
@Index('keys_extractable', ['instanceId', 'extractable', 'id'])
@Index('keys_imported', ['instanceId', 'imported', 'id'])
@Index('keys_created', ['instanceId', 'createdAt', 'id'])
@Index('keys_updated', ['instanceId', 'updatedAt', 'id'])
@Index('keys_rotated', ['instanceId', 'rotatedAt', 'id'])
@Index('keys_deleted', ['instanceId', 'deletedAt', 'id'])
@Index('keys_expires', ['instanceId', 'expiresAt', 'id'])
@Index('keys_live', { synchronize: false })
@Index('keys_live_ring', { synchronize: false })
@Index('keys_due_expiry', { synchronize: false })
@Index('keys_due_rotation', { synchronize: false })
@Index('keys_due_purge', { synchronize: false })
@Index('keys_due_authorization', { synchronize: false })
@Index('keys_due_material', { synchronize: false })
@Index('keys_due_deletion', { synchronize: false })
@Index('keys_labels', { synchronize: false })
@Index('keys_listed', { synchronize: false })
export class Key {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'PK_keys' }) readonly id!: string;
  @Column('uuid') readonly instanceId!: string;
  @Column('text') keyRingId!: string;
  @Column('text') name!: string;
  @Column('text', { nullable: true }) description!: string | null;
  @Column('text', { array: true }) readonly tags!: string[];
  /** The same as in key_aliases: there they are unique, here the row MAC covers them. */
  @Column('text', { array: true }) aliases!: string[];
  @Column('boolean') readonly extractable!: boolean;
  @Column('boolean') readonly imported!: boolean;
  @Column('boolean') readonly byImportToken!: boolean;
  /** Its material comes from outside, may be away for a while, and is always the same. */
  @Column('boolean') readonly external!: boolean;
  /** Of the latest version. */
  @Column('text') algorithm!: string;
  @Column('text') readonly usage!: KeyUsage;
  @Column('jsonb') labels!: Record<string, string>;
  @Column('int') bits!: number;
  @Column('smallint') state!: KeyState;
  /** The latest version. The first version's id is the key's own. */
  @Column('uuid') versionId!: string;
  /** The payload of a standard key under its version: iv ‖ ciphertext ‖ tag. Null for root keys. */
  @Column('bytea', { nullable: true }) readonly sealed!: Buffer | null;
  @Column('jsonb', { nullable: true }) rotation!: StoredRotation | null;
  @Column('jsonb', { nullable: true }) dualAuthDelete!: StoredDualAuth | null;
  /** Id of the API key that gave the first authorisation. */
  @Column('text', { nullable: true }) setForDeletionBy!: string | null;
  @Column('timestamptz', { nullable: true }) setForDeletionUntil!: Date | null;
  @Column('text') readonly createdBy!: string;
  @Column('timestamptz') readonly createdAt!: Date;
  @Column('timestamptz') updatedAt!: Date;
  /** The last act that changed its life: timers run from here. */
  @Column('timestamptz') changedAt!: Date;
  @Column('timestamptz', { nullable: true }) syncedAt!: Date | null;
  @Column('timestamptz', { nullable: true }) rotatedAt!: Date | null;
  @Column('timestamptz', { nullable: true }) rotationDueAt!: Date | null;
  @Column('timestamptz', { nullable: true }) readonly expiresAt!: Date | null;
  /** When the material of an external key goes. */
  @Column('timestamptz', { nullable: true }) materialExpiresAt!: Date | null;
  /** 32 bytes that stand for the first material; null before it came. */
  @Column('bytea', { nullable: true }) materialBinding!: Buffer | null;
  /** Set: unusable, and gone for good at this time. */
  @Column('timestamptz', { nullable: true }) deletionDueAt!: Date | null;
  @Column('timestamptz', { nullable: true }) deletedAt!: Date | null;
  @Column('text', { nullable: true }) deletedBy!: string | null;
  /** Where the audit log ended, plus one, when the row was last changed. A bigint, as text; null: not changed since rows have it. */
  @Column('bigint', { nullable: true }) auditSeq!: string | null;
}

/** One version of a key: wrapped under mk-wrap (AES-KW, RFC 3394), and MACed under mk-mac with everything that matters. */
@Entity('key_versions')
@Index('key_versions_key', ['keyId', 'createdAt'])
export class KeyVersion {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'PK_key_versions' }) readonly id!: string;
  @Column('uuid') readonly keyId!: string;
  @Column('uuid') readonly instanceId!: string;
  @Column('text') readonly algorithm!: string;
  @Column('bytea') readonly blob!: Buffer;
  @Column('bytea') mac!: Buffer;
  /** Encryptions under this version, those included that a process has only reserved. A bigint: TypeORM gives it as text. */
  @Column('bigint') readonly wraps!: string;
  @Column('timestamptz') readonly createdAt!: Date;
}

/** A name that works in place of a key's id; unique in its instance. */
@Entity('key_aliases')
export class KeyAlias {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'PK_key_aliases' }) readonly instanceId!: string;
  @PrimaryColumn('text', { primaryKeyConstraintName: 'PK_key_aliases' }) readonly alias!: string;
  @Index('key_aliases_key')
  @Column('uuid')
  keyId!: string;
  @Column('text') createdBy!: string;
  @Column('timestamptz') createdAt!: Date;
}

/** A cloud resource that a key protects. Services register them; nothing here writes them yet. */
@Entity('key_registrations')
@Index('key_registrations_instance', ['instanceId', 'keyId'])
export class KeyRegistration {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'PK_key_registrations' }) readonly keyId!: string;
  @PrimaryColumn('text', { primaryKeyConstraintName: 'PK_key_registrations' }) readonly resourceCrn!: string;
  @Column('uuid') readonly instanceId!: string;
  @Column('uuid') readonly versionId!: string;
  @Column('text', { nullable: true }) readonly description!: string | null;
  @Column('boolean') readonly preventKeyDeletion!: boolean;
  @Column('text') readonly createdBy!: string;
  @Column('timestamptz') readonly createdAt!: Date;
  @Column('text') readonly updatedBy!: string;
  @Column('timestamptz') readonly updatedAt!: Date;
}
