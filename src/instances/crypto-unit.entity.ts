import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { Capabilities, RecordFacts } from '../unit-agent/protocol.js';
import type { UnitDescriptor } from './unit-descriptor.js';

/**
 * What the database knows of a crypto unit: whose it is, where its token is found, and what a finished claim left.
 * What the unit *is* stands on its token; the state is computed from there.
 */
@Entity('crypto_units')
export class CryptoUnit {
  @PrimaryColumn('uuid') readonly id!: string;
  @Index('crypto_units_instance')
  @Column('uuid')
  readonly instanceId!: string;
  @Column('int') readonly ordinal!: number;
  @Column('jsonb') readonly descriptor!: UnitDescriptor;
  /** Serial of the token, from the agent's first READY on; null while the unit is being provisioned. */
  @Column('text', { nullable: true }) serial!: string | null;
  /** The mark of a finished claim: the epoch, 16 bytes hex. A token without a record but with this mark is lost. */
  @Column('text', { nullable: true }) claimedEpoch!: string | null;
  /** SPKI of the unit's receipt key, as the claim's receipt showed it. */
  @Column('bytea', { nullable: true }) receiptKey!: Buffer | null;
  /** The record as the unit last told it: for reports while the unit cannot be asked. */
  @Column('jsonb', { nullable: true }) lastRecord!: RecordFacts | null;
  /** The agent's time of the facts that the four marks above were last taken from; older facts change nothing. */
  @Column('timestamptz', { nullable: true }) seenAt!: Date | null;
  @Column('jsonb', { nullable: true }) capabilities!: Capabilities | null;
  @Column('boolean') maintenance!: boolean;
  @Column('timestamptz') readonly createdAt!: Date;
  /** Set when the unit was replaced or its instance deleted. */
  @Column('timestamptz', { nullable: true }) retiredAt!: Date | null;
}
