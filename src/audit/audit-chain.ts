import { lengthPrefixed, sha256 } from '../shared/bytes.js';
import { KeysteadError } from '../shared/errors.js';
import type { AuditRecord } from './audit-record.js';

/** What stands before the first line. */
export const GENESIS = sha256('keystead/audit/v1');

const LABEL = 'keystead/audit-line/v1';

/**
 * What a line's hash covers besides the hash of the line before: its fields, each preceded by its length. An absent field
 * is not an empty one. The two of the request stand only where a line has one: lines that are older than them keep their
 * hashes, and with their number the fields stay told apart.
 */
export function coveredBytes(line: Omit<AuditRecord, 'hash'>): Buffer {
  return lengthPrefixed(covered(line));
}

function covered(line: Omit<AuditRecord, 'hash'>): (string | Buffer)[] {
  return [
    LABEL,
    line.seq,
    isoText(line.at),
    line.act,
    line.outcome,
    line.by,
    optional(line.instanceId),
    optional(line.unitId),
    optional(line.target),
    optional(line.detail),
    ...(line.correlationId === null && line.requestPath === null
      ? []
      : [optional(line.correlationId), optional(line.requestPath)]),
  ];
}

/** The lines of one write are of one moment, and V8 takes a microsecond to write it out. */
let moment = { time: 0, text: new Date(0).toISOString() };

/** The date as `toISOString` gives it. */
export function isoText(date: Date): string {
  const time = date.getTime();
  if (time !== moment.time) moment = { time, text: date.toISOString() };
  return moment.text;
}

function optional(value: string | null): string {
  return value === null ? '' : `=${value}`;
}

/** SHA-256 over what `coveredBytes` gave and the hash of the line before. */
export function linkHash(bytes: Buffer, previous: Buffer): Buffer {
  return sha256(Buffer.concat([bytes, lengthPrefixed([previous])]));
}

/** The hash of a line after the line with the `previous` hash. */
export function hashOf(line: Omit<AuditRecord, 'hash'>, previous: Buffer): Buffer {
  return sha256(lengthPrefixed([...covered(line), previous]));
}

/** What the covered bytes of line `seq` begin with. */
export function coveredHead(seq: number): Buffer {
  return lengthPrefixed([LABEL, String(seq)]);
}

/**
 * JSON with sorted member names. Takes what JSON can say, and dates; a Secret becomes "[secret]".
 * Throws INTERNAL for bytes: whoever puts bytes into an audit line may be putting a secret there.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value));
}

function sorted(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    throw new KeysteadError('INTERNAL', 'audit detail takes no bytes: name them by a digest or an id');
  }
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  if ('toJSON' in value && typeof value.toJSON === 'function') return sorted(value.toJSON());
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member)]));
}
