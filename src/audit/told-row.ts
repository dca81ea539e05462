import { hash } from 'node:crypto';
import { canonicalJson } from './audit-chain.js';

/** What an audit line tells of a row that its act wrote: a walk looks whether it still stands so (row-watch.ts). */
export interface ToldRow {
  /** The table. */
  readonly of: string;
  /** SHA-256 of what the act left, 64 hex digits; null: it removed it. */
  readonly sha256: string | null;
  /** The number that the row MAC covers, where there is one. */
  readonly seq?: string | undefined;
}

/** The row as a line tells of it. What is null is left out, so that a new column leaves old lines true. */
export function toldRow(of: string, row: object, seq?: string): ToldRow {
  const sha256 = hash('sha256', `keystead/told-row/v1\n${of}\n${canonicalJson(plain(row))}`, 'hex');
  return { of, sha256, ...(seq !== undefined && { seq }) };
}

/** Bytes as base64; members that are null left out. */
function plain(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  const members = Object.entries(value).filter(([, member]) => member !== null && member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, plain(member)]));
}
