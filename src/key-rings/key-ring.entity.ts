import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A group of keys for which roles can be given. `default` has no row. */
@Entity('key_rings')
export class KeyRing {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'PK_key_rings' }) readonly instanceId!: string;
  @PrimaryColumn('text', { primaryKeyConstraintName: 'PK_key_rings' }) readonly id!: string;
  @Column('text') readonly createdBy!: string;
  @Column('timestamptz') readonly createdAt!: Date;
}
