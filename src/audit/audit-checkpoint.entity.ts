import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A unit's signed word on how far the log had come. What counts is the document; the other columns are for finding it. */
@Entity('audit_checkpoints')
@Index('audit_checkpoints_unit', ['unitId', 'epoch', 'at'])
export class AuditCheckpoint {
  @PrimaryColumn('uuid') readonly id!: string;
  @Column('uuid') readonly unitId!: string;
  @Column('uuid') readonly instanceId!: string;
  /** 16 bytes hex: the claim under which it was signed. */
  @Column('text') readonly epoch!: string;
  /** Lines of the log. A bigint: TypeORM gives it as text. */
  @Column('bigint') readonly size!: string;
  /** Hash of the last line, 32 bytes. */
  @Column('bytea') readonly root!: Buffer;
  @Column('timestamp with time zone') readonly at!: Date;
  /** JWS compact, ES256. */
  @Column('text') readonly document!: string;
  /** SPKI of the receipt key that signed it. */
  @Column('bytea') readonly receiptKey!: Buffer;
}
