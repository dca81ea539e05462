import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { GrantOperation } from './key-grant.js';

/** What a caller may do with one key, whatever its roles. */
@Entity('key_grants')
@Index('key_grants_key', ['keyId', 'createdAt', 'id'])
@Index('key_grants_grantee', ['keyId', 'grantee'])
@Index('key_grants_retiring', ['instanceId', 'retiringPrincipal', 'createdAt', 'id'])
export class KeyGrant {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'PK_key_grants' }) readonly id!: string;
  @Column('uuid') readonly instanceId!: string;
  @Column('uuid') readonly keyId!: string;
  @Column('text') readonly name!: string;
  @Column('text', { array: true }) readonly operations!: GrantOperation[];
  @Column('text') readonly grantee!: string;
  @Column('text', { nullable: true }) readonly retiringPrincipal!: string | null;
  @Column('text') readonly createdBy!: string;
  @Column('timestamptz') readonly createdAt!: Date;
}
