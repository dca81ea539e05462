import { lengthPrefixed, sha256 } from '../shared/bytes.js';
import { KeysteadError } from '../shared/errors.js';
import type { AuditLine } from './audit-line.entity.js';

/** What stands before the first line. */
export const GENESIS = sha256('keystead/audit/v1');

/** SHA-256 over the line's fields, each preceded by its length, and the hash of the line before. An absent field is not an empty one. */
export function hashOf(line: Omit<AuditLine, 'hash'>, previous: Buffer): Buffer {
  const optional = (value: string | null) => (value === null ? '' : `=${value}`);
  return sha256(
    lengthPrefixed([
      'keystead/audit-line/v1',
      line.seq,
      line.at.toISOString(),
      line.act,
      line.outcome,
      line.by,
      optional(line.instanceId),
      optional(line.unitId),
      optional(line.target),
      optional(line.detail),
      previous,
    ]),
  );
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
