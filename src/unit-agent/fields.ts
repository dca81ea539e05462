import { KeysteadError } from '../shared/errors.js';
import type { KeyRowFields } from './protocol.js';

/**
 * The fields of a body made by lengthPrefixed (shared/bytes.ts); exactly `count` of them and nothing after.
 * They are views of the body. Throws BAD_REQUEST.
 */
export function readFields(body: Buffer, count: number): Buffer[] {
  const fields: Buffer[] = [];
  let at = 0;
  while (at < body.length && fields.length < count) {
    const end = body.length - at < 4 ? Number.POSITIVE_INFINITY : at + 4 + body.readUInt32BE(at);
    if (end > body.length) break;
    fields.push(body.subarray(at + 4, end));
    at = end;
  }
  if (fields.length !== count || at !== body.length) {
    throw new KeysteadError('BAD_REQUEST', `the body must hold ${count} length-prefixed fields and nothing else`);
  }
  return fields;
}

/** The fields of a key row in the order in which frames carry them and the row MAC covers them. */
export function rowFields(row: KeyRowFields): string[] {
  return [row.instance, row.key, row.version, row.algorithm, row.state, row.policy];
}

export const ROW_FIELDS = 6;

/** The inverse of rowFields. */
export function rowOf(fields: readonly Buffer[]): KeyRowFields {
  const [instance = '', key = '', version = '', algorithm = '', state = '', policy = ''] = fields
    .slice(0, ROW_FIELDS)
    .map((field) => field.toString('utf8'));
  return { instance, key, version, algorithm, state, policy };
}
