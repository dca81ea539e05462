import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { Role } from '../shared/permissions.js';
import type { Grant } from './scope.js';

/** A credential of a caller. The key itself is not stored, only its SHA-256: 32 random bytes need no slow hash. */
@Entity('api_keys')
export class ApiKey {
  @PrimaryColumn('uuid') readonly id!: string;
  @Column('text') readonly name!: string;
  @Index('UQ_api_keys_hash', { unique: true })
  @Column('bytea')
  readonly hash!: Buffer;
  @Column('text', { array: true }) readonly roles!: Role[];
  /** Roles that hold in part of the world only. */
  @Column('jsonb') readonly scopes!: Grant[];
  /** Set on a key that is good for one thing: to make the first named Manager key (bootstrap-key.ts). */
  @Column('boolean', { nullable: true }) readonly bootstrap!: true | null;
  @Column('timestamptz') readonly createdAt!: Date;
  @Column('timestamptz', { nullable: true }) readonly expiresAt!: Date | null;
  @Column('timestamptz', { nullable: true }) revokedAt!: Date | null;
}
