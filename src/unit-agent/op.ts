import type { UnitToken } from '../pkcs11/unit-token.js';
import type { CryptoUnit } from './crypto-unit.js';
import type { UnitRecord } from './unit-record.js';

/** What an op gets: the open token, and the record in which its own counter and intent stand. */
export interface OpContext {
  readonly unit: CryptoUnit;
  readonly token: UnitToken;
  readonly record: UnitRecord;
}

/** What an op did. Objects it made exist from the moment the record that names them is written. */
export interface Change {
  /** What is different in the record now. */
  readonly record: Partial<UnitRecord>;
  /** What the receipt says, when it is not simply the record. */
  readonly facts?: Readonly<Record<string, unknown>>;
  /** Runs when the record is on disk. */
  readonly committed?: () => void;
}
