import type pg from 'pg';
import type { DataSource } from 'typeorm';
import { databaseOutage } from '../database/outage.js';
import { ownConnection } from '../database/own-connection.js';
import { KeysteadError, messageOf } from '../shared/errors.js';

/** A request is answered within 2 s, whatever the database does: what is not written by then counts as not writable. */
export const WRITE_DEADLINE_MS = 1_500;

/** Key of the advisory lock that makes one chain of all appends, of every server on the database. */
export const CHAIN_LOCK = 0x6b7361; // 'ksa'

/** A connection for the log alone. */
export function auditConnection(db: Pick<DataSource, 'options'>): pg.Pool {
  return ownConnection(db, 'keystead-audit', WRITE_DEADLINE_MS);
}

/** DATABASE_UNAVAILABLE in an outage, else AUDIT_UNAVAILABLE; a KeysteadError stays what it is. */
export function refusalOf(cause: unknown): KeysteadError {
  if (cause instanceof KeysteadError) return cause;
  const outage = databaseOutage(cause);
  if (outage !== undefined) return outage;
  return new KeysteadError('AUDIT_UNAVAILABLE', `the audit log cannot be written: ${messageOf(cause)}`, { cause });
}

/** Whether PostgreSQL refused the data (SQLSTATE class 22) and not the writing. */
export function isBadData(cause: unknown): boolean {
  const { code } = (cause ?? {}) as { code?: unknown };
  return typeof code === 'string' && code.startsWith('22');
}
