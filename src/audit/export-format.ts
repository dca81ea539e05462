import { z } from 'zod';
import type { AuditRecord } from './audit-record.js';
import { eventOf } from './cadf-event.js';

/**
 * The file of an export, NDJSON: a header; the units' keys and the checkpoints they signed; the lines, each with its CADF
 * event; an end. There is one text for one export: what reads it writes it again and compares.
 */
export const FORMAT = 'keystead-audit/v1';

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
const Count = z.int().min(0);
const Place = z.strictObject({ size: Count, root: hex(32) });

export const Header = z.strictObject({
  type: z.literal('header'),
  format: z.literal(FORMAT),
  /** The place after which the lines begin. */
  after: Place,
});
export const Signed = z.strictObject({
  type: z.literal('checkpoint'),
  unitId: z.uuid(),
  /** SPKI of the receipt key, base64. */
  receiptKey: z.base64(),
  /** JWS compact, ES256 (src/unit-agent/checkpoint.ts). */
  document: z.string(),
});
export const End = z.strictObject({ type: z.literal('end'), checkpoints: Count, ...Place.shape });

export type Header = z.infer<typeof Header>;
export type Signed = z.infer<typeof Signed>;
export type End = z.infer<typeof End>;

/** A line as the server gives it: `hash` 64 hex digits, `detail` the stored text. */
export interface StoredLine {
  readonly seq: number;
  readonly at: string;
  readonly act: string;
  readonly outcome: 'success' | 'failure';
  readonly by: string;
  readonly instanceId: string | null;
  readonly unitId: string | null;
  readonly target: string | null;
  readonly detail: string | null;
  /** Not there in lines without a request, as in those that are older than the two members. */
  readonly correlationId?: string | null;
  readonly requestPath?: string | null;
  readonly hash: string;
}

/** A record as the server gives it. */
export function storedLineOf({ seq, at, hash, ...rest }: AuditRecord): Required<StoredLine> {
  return { seq: Number(seq), at: at.toISOString(), ...rest, hash: hash.toString('hex') };
}

export function recordOf(line: StoredLine): AuditRecord {
  const {
    seq,
    at,
    act,
    outcome,
    by,
    instanceId,
    unitId,
    target,
    detail,
    correlationId = null,
    requestPath = null,
    hash,
  } = line;
  return {
    seq: String(seq),
    at: new Date(at),
    act,
    outcome,
    by,
    instanceId,
    unitId,
    target,
    detail,
    correlationId,
    requestPath,
    hash: Buffer.from(hash, 'hex'),
  };
}

/** The text of a line, without the line break. */
export function textOf(record: AuditRecord): string {
  const { seq, act, outcome, by, instanceId, unitId, target, detail, correlationId, requestPath, hash } = record;
  const event = eventOf(record);
  return JSON.stringify({
    type: 'line',
    seq: Number(seq),
    at: event.eventTime,
    act,
    outcome,
    by,
    instanceId,
    unitId,
    target,
    detail,
    ...(correlationId !== null && { correlationId }),
    ...(requestPath !== null && { requestPath }),
    hash: hash.toString('hex'),
    event,
  });
}
