import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { PairAlgorithm } from './pair-row.js';

/** An RSA pair that a unit made; its private half is wrapped under mk-wrap (AES-KWP, RFC 5649), so any unit can use it. */
@Entity('import_pairs')
@Index('import_pairs_pool', { synchronize: false })
export class ImportPair {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'PK_import_pairs' }) readonly id!: string;
  @Column('uuid') readonly instanceId!: string;
  @Column('text') readonly algorithm!: PairAlgorithm;
  @Column('bytea') readonly blob!: Buffer;
  @Column('bytea') readonly mac!: Buffer;
  @Column('timestamptz') readonly createdAt!: Date;
  /** When it became the pair of a token or of import parameters; null: ready in the pool. */
  @Column('timestamptz', { nullable: true }) readonly takenAt!: Date | null;
}

/** The import token of an instance: a pair, a nonce, and how long and how often they are given out. */
@Entity('import_tokens')
export class ImportToken {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'PK_import_tokens' }) readonly instanceId!: string;
  @Column('uuid') readonly pairId!: string;
  @Column('bytea') readonly nonce!: Buffer;
  @Column('int') readonly maxAllowedRetrievals!: number;
  @Column('int') readonly remainingRetrievals!: number;
  /** Imports that did not open. */
  @Column('int') readonly failures!: number;
  /** Imports under way, and those whose process died: together with the failures never more than may fail. */
  @Column('int') readonly pending!: number;
  @Column('timestamptz') readonly createdAt!: Date;
  @Column('timestamptz') readonly expiresAt!: Date;
}
