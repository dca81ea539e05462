import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { Grant } from '../access/scope.js';
import type { Role } from '../shared/permissions.js';
import type { AccessKeyDialect } from './access-key.js';

/**
 * A credential with which a client signs its requests. The secret is sealed under a key of its own, which is wrapped under
 * the master key; the MAC covers what the access key may do.
 */
@Entity('access_keys')
@Index('access_keys_instance', ['instanceId', 'createdAt'])
export class AccessKey {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'PK_access_keys' }) readonly id!: string;
  @Column('text') readonly dialect!: AccessKeyDialect;
  @Column('uuid') readonly instanceId!: string;
  @Column('text') readonly name!: string;
  @Column('text', { array: true }) readonly roles!: Role[];
  @Column('jsonb') readonly scopes!: Grant[];
  @Column('bytea') readonly blob!: Buffer;
  @Column('bytea') readonly mac!: Buffer;
  /** iv ‖ ciphertext ‖ tag. */
  @Column('bytea') readonly sealed!: Buffer;
  @Column('timestamptz') readonly createdAt!: Date;
  @Column('timestamptz', { nullable: true }) readonly expiresAt!: Date | null;
  @Column('timestamptz', { nullable: true }) revokedAt!: Date | null;
}

/** A nonce of a signed request, remembered for as long as the request would be taken. */
@Entity('access_nonces')
export class AccessNonce {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'PK_access_nonces' }) readonly accessKeyId!: string;
  @PrimaryColumn('bytea', { primaryKeyConstraintName: 'PK_access_nonces' }) readonly nonceHash!: Buffer;
  @Index('access_nonces_until')
  @Column('timestamptz')
  readonly until!: Date;
}
