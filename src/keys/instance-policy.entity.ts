import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { InstancePolicyType } from './instance-policy-rules.js';

/** A policy of an instance. A type that was never set has no row. */
@Entity('instance_policies')
export class InstancePolicy {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'PK_instance_policies' }) readonly instanceId!: string;
  @PrimaryColumn('text', { primaryKeyConstraintName: 'PK_instance_policies' }) readonly type!: InstancePolicyType;
  @Column('boolean') readonly enabled!: boolean;
  @Column('jsonb') readonly attributes!: object;
  @Column('text') readonly createdBy!: string;
  @Column('timestamptz') readonly createdAt!: Date;
  @Column('text') readonly updatedBy!: string;
  @Column('timestamptz') readonly updatedAt!: Date;
}
