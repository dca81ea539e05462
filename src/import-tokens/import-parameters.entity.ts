import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { WrappingAlgorithm } from '../unit-agent/protocol.js';

/** What a client was given to encrypt the material of one key with; its token is not stored, only the token's SHA-256. */
@Entity('import_parameters')
@Index('import_parameters_key', ['keyId'])
@Index('import_parameters_expires', ['expiresAt'])
@Index('import_parameters_burnt', { synchronize: false })
export class ImportParameters {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'PK_import_parameters' }) readonly id!: string;
  @Index('UQ_import_parameters_token', { unique: true })
  @Column('bytea')
  readonly tokenHash!: Buffer;
  @Column('uuid') readonly instanceId!: string;
  @Column('uuid') readonly keyId!: string;
  @Column('uuid') readonly pairId!: string;
  @Column('text') readonly algorithm!: WrappingAlgorithm;
  /** Imports that did not open. */
  @Column('int') readonly failures!: number;
  /** Imports under way, and those whose process died: together with the failures never more than may fail. */
  @Column('int') readonly pending!: number;
  @Column('timestamptz') readonly createdAt!: Date;
  @Column('timestamptz') readonly expiresAt!: Date;
}
