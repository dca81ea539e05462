import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A Dedicated service instance: two or three crypto units, fixed for life, and one master key. */
@Entity('instances')
export class Instance {
  @PrimaryColumn('uuid') readonly id!: string;
  @Column('text') readonly name!: string;
  @Column('int') readonly cryptoUnits!: number;
  @Column('timestamptz') readonly createdAt!: Date;
  /** MKVP, 16 bytes hex, of the one master key that may serve; pinned by the first import that a unit confirmed. */
  @Column('text', { nullable: true }) mkvp!: string | null;
  @Column('timestamptz', { nullable: true }) deletedAt!: Date | null;
}
