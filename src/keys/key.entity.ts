import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A root key of an instance: its name and life. Its material stands in its versions. */
@Entity('keys')
export class Key {
  @PrimaryColumn('uuid') readonly id!: string;
  @Index('keys_instance')
  @Column('uuid')
  readonly instanceId!: string;
  @Column('text') readonly name!: string;
  @Column('text') readonly createdBy!: string;
  @Column('timestamptz') readonly createdAt!: Date;
}

/** One version of a root key: wrapped under mk-wrap (AES-KW, RFC 3394), and MACed under mk-mac with everything that matters. */
@Entity('key_versions')
export class KeyVersion {
  /** The first version's id is the key's own. */
  @PrimaryColumn('uuid') readonly id!: string;
  @Index('key_versions_key')
  @Column('uuid')
  readonly keyId!: string;
  @Column('text') readonly algorithm!: string;
  @Column('text') state!: string;
  @Column('text') policy!: string;
  @Column('bytea') readonly blob!: Buffer;
  @Column('bytea') mac!: Buffer;
  @Column('timestamptz') readonly createdAt!: Date;
}
