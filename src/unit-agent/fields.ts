import { lengthPrefixed } from '../shared/bytes.js';
import { needs } from '../shared/errors.js';
import type { KeyRowFields, NextRow, StoredRow } from './protocol.js';

/**
 * The fields of a body made by lengthPrefixed (shared/bytes.ts); exactly `count` of them and nothing after.
 * They are views of the body. Throws BAD_REQUEST.
 */
export function readFields(body: Buffer, count: number): Buffer[] {
  const { fields, whole } = cut(body, count);
  needs(whole && fields.length === count, 'BAD_REQUEST', wants(`${count} length-prefixed fields`));
  return fields;
}

/** The body after its first `count` fields, and those fields together, as they came. Throws BAD_REQUEST. */
export function splitFields(body: Buffer, count: number): { first: Buffer; rest: Buffer } {
  let at = 0;
  for (let n = 0; n < count; n += 1) {
    needs(at + 4 <= body.length, 'BAD_REQUEST', wants(`more than ${count} length-prefixed fields`));
    at += 4 + body.readUInt32BE(at);
  }
  needs(at <= body.length, 'BAD_REQUEST', wants(`more than ${count} length-prefixed fields`));
  return { first: body.subarray(0, at), rest: body.subarray(at) };
}

/** Like readFields, however many there are. */
export function readAllFields(body: Buffer): Buffer[] {
  const { fields, whole } = cut(body, Number.POSITIVE_INFINITY);
  needs(whole, 'BAD_REQUEST', wants('length-prefixed fields'));
  return fields;
}

/** The fields in groups of `size`: 1 to `most` groups. Throws BAD_REQUEST. */
export function readGroups(body: Buffer, size: number, most: number): Buffer[][] {
  const { fields, whole } = cut(body, size * most);
  const count = fields.length / size;
  const right = whole && count >= 1 && Number.isInteger(count);
  needs(right, 'BAD_REQUEST', wants(`1 to ${most} groups of ${size} length-prefixed fields`));
  return Array.from({ length: count }, (_, i) => fields.slice(i * size, (i + 1) * size));
}

/** At most `most` fields; whether they are the whole body. */
function cut(body: Buffer, most: number): { fields: Buffer[]; whole: boolean } {
  const fields: Buffer[] = [];
  let at = 0;
  while (at < body.length && fields.length < most) {
    const end = body.length - at < 4 ? Number.POSITIVE_INFINITY : at + 4 + body.readUInt32BE(at);
    if (end > body.length) break;
    fields.push(body.subarray(at + 4, end));
    at = end;
  }
  return { fields, whole: at === body.length };
}

function wants(what: string): string {
  return `the body must hold ${what} and nothing else`;
}

/** The fields of a key row in the order in which frames carry them and the row MAC covers them. */
export function rowFields(row: KeyRowFields): string[] {
  return [row.instance, row.key, row.version, row.algorithm, row.state, row.policy, row.auditSeq ?? ''];
}

export const ROW_FIELDS = 7;

/** The fields of a stored row: those of the row, the blob, the MAC. */
export function storedFields({ row, blob, mac }: StoredRow): (string | Buffer)[] {
  return [...rowFields(row), blob, mac];
}

const encoded = new WeakMap<KeyRowFields, { readonly blob: Buffer; readonly mac: Buffer; readonly bytes: Buffer }>();

/** The fields of a stored row as they go into a frame; made once for the same row. */
export function storedBytes({ row, blob, mac }: StoredRow): Buffer {
  const known = encoded.get(row);
  if (known?.blob === blob && known.mac === mac) return known.bytes;
  const bytes = lengthPrefixed(storedFields({ row, blob, mac }));
  encoded.set(row, { blob, mac, bytes });
  return bytes;
}

export const STORED_FIELDS = ROW_FIELDS + 2;

/** The inverse of rowFields. */
export function rowOf(fields: readonly Buffer[]): KeyRowFields {
  const [instance = '', key = '', version = '', algorithm = '', state = '', policy = '', auditSeq = ''] = fields
    .slice(0, ROW_FIELDS)
    .map((field) => field.toString('utf8'));
  return { instance, key, version, algorithm, state, policy, ...numbered(auditSeq) };
}

/** The fields of what a row becomes, and the inverse. */
export function nextFields({ state, policy, auditSeq }: NextRow): string[] {
  return [state, policy, auditSeq ?? ''];
}

export const NEXT_FIELDS = 3;

export function nextRow(fields: readonly Buffer[]): NextRow {
  const [state = '', policy = '', auditSeq = ''] = fields.map((field) => field.toString('utf8'));
  return { state, policy, ...numbered(auditSeq) };
}

function numbered(auditSeq: string): Pick<KeyRowFields, 'auditSeq'> {
  return auditSeq === '' ? {} : { auditSeq };
}

/** The inverse of storedFields. */
export function storedRow(fields: readonly Buffer[]): StoredRow {
  const [blob, mac] = fields.slice(ROW_FIELDS, STORED_FIELDS) as [Buffer, Buffer];
  return { row: rowOf(fields), blob, mac };
}
