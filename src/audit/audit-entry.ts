import { needs } from '../shared/errors.js';
import { canonicalJson } from './audit-chain.js';
import type { AuditRecord } from './audit-record.js';
import type { ToldRow } from './told-row.js';

/** What is told of an act. `by` names who asked; `detail` holds no secret and no bytes. */
export interface AuditEntry {
  readonly act: string;
  readonly outcome: 'success' | 'failure';
  readonly by: string;
  readonly instanceId?: string | undefined;
  readonly unitId?: string | undefined;
  readonly target?: string | undefined;
  readonly detail?: object | undefined;
  /** What the act left in a watched table under the target's id; it goes into the detail. */
  readonly row?: ToldRow | undefined;
}

/** An entry as it goes into the table, but for its place in the chain. */
export type Prepared = Omit<AuditRecord, 'seq' | 'at' | 'hash'>;

/** A line goes to the units whole, in one frame of 1 MiB, when they sign a checkpoint. */
const MOST_DETAIL_BYTES = 900_000;
/** Half a character, which UTF-8 cannot write. */
const LONE_SURROGATE = /\p{Surrogate}/gu;

/** Throws INTERNAL for bytes in the detail, BAD_REQUEST for a detail above 900,000 bytes. */
export function prepared(entry: AuditEntry): Prepared {
  const told = entry.row === undefined ? entry.detail : { ...entry.detail, row: entry.row };
  const detail = told === undefined ? null : canonicalJson(told);
  const fits = detail === null || Buffer.byteLength(detail) <= MOST_DETAIL_BYTES;
  needs(
    fits,
    'BAD_REQUEST',
    `what the audit log must keep of this is above ${MOST_DETAIL_BYTES} bytes; send less at once`,
  );
  return {
    act: entry.act,
    outcome: entry.outcome,
    by: entry.by.replace(LONE_SURROGATE, '\ufffd'),
    instanceId: entry.instanceId ?? null,
    unitId: entry.unitId ?? null,
    target: entry.target?.replace(LONE_SURROGATE, '\ufffd') ?? null,
    detail,
  };
}
