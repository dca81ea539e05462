import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { ErrorCode } from '../shared/errors.js';
import type { SignedOp } from '../shared/unit-state.js';

/** One act of administrators on one or several units. Its outcome is a row per unit; it can be resumed after any crash. */
@Entity('operations')
export class Operation {
  /** The plan id of the signed documents (or of the claim). */
  @PrimaryColumn('uuid') readonly id!: string;
  @Column('uuid') readonly instanceId!: string;
  @Column('text') readonly op!: SignedOp | 'claim';
  /** The JWS documents, byte for byte; for a claim the PEM of the first administrator. Kept as evidence. */
  @Column('text', { array: true }) readonly documents!: string[];
  @Column('text') readonly by!: string;
  @Column('timestamptz') readonly createdAt!: Date;
}

@Entity('operation_units')
export class OperationUnit {
  @PrimaryColumn('uuid') readonly operationId!: string;
  @PrimaryColumn('uuid') readonly unitId!: string;
  /** Which of the operation's documents is for this unit. */
  @Column('int') readonly document!: number;
  @Index('operation_units_pending', { where: `"outcome" = 'pending'` })
  @Column('text')
  outcome!: 'pending' | 'ok' | 'failed';
  /** JWS compact, ES256, by the unit's receipt key. */
  @Column('text', { nullable: true }) receipt!: string | null;
  @Column('text', { nullable: true }) errorCode!: ErrorCode | null;
  @Column('text', { nullable: true }) errorMessage!: string | null;
  @Column('timestamptz', { nullable: true }) finishedAt!: Date | null;
}

/** What was left when a server ended. A row that failed meanwhile was told to the caller: only he has it sent again. */
export function isPending({ outcome }: OperationUnit): boolean {
  return outcome === 'pending';
}

/** A receipt is the unit's last word on a plan, also when it refuses. */
export function isUnanswered({ outcome, receipt }: OperationUnit): boolean {
  return outcome !== 'ok' && receipt === null;
}
