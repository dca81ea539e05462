import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { AuditRecord } from './audit-record.js';

/** One act or refusal. Never changed: a trigger refuses UPDATE, DELETE and TRUNCATE, and the hashes form a chain. */
@Entity('audit_lines')
@Index('audit_lines_rows', { synchronize: false })
export class AuditLine implements AuditRecord {
  /** 1, 2, 3, … without gaps. A bigint: TypeORM gives it as text. */
  @PrimaryColumn('bigint') readonly seq!: string;
  @Column({ type: 'timestamp with time zone', precision: 3 }) readonly at!: Date;
  @Column('text') readonly act!: string;
  @Column('text') readonly outcome!: 'success' | 'failure';
  @Column('text') readonly by!: string;
  @Column('text', { nullable: true }) readonly instanceId!: string | null;
  @Column('text', { nullable: true }) readonly unitId!: string | null;
  @Column('text', { nullable: true }) readonly target!: string | null;
  /** Canonical JSON. Text, not jsonb: the chain hashes what is stored, byte for byte. */
  @Column('text', { nullable: true }) readonly detail!: string | null;
  @Column('text', { nullable: true }) readonly correlationId!: string | null;
  @Column('text', { nullable: true }) readonly requestPath!: string | null;
  /** SHA-256, 32 bytes, over this line's fields and the hash of the line before. */
  @Column('bytea') readonly hash!: Buffer;
}
