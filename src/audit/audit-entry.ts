import { needs } from '../shared/errors.js';
import { canonicalJson } from './audit-chain.js';
import type { AuditRecord } from './audit-record.js';
import type { ToldRow } from './told-row.js';

/** The request in which an act was asked for. */
export interface RequestOrigin {
  /** Of the request's own, or made for it: at most 128 characters that can be shown anywhere. */
  readonly correlationId: string;
  /** Its method and route: `POST /api/v2/keys/:id/actions/wrap`. No query, no body. */
  readonly requestPath: string;
}

/** Who asked for an act: a caller in a request, or a job of the server, which has none. */
export interface Initiator {
  readonly name: string;
  readonly request?: RequestOrigin | undefined;
}

/** What is told of an act. `detail` holds no secret and no bytes. */
export interface AuditEntry {
  readonly act: string;
  readonly outcome: 'success' | 'failure';
  readonly by: Initiator;
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
  const { name, request } = entry.by;
  return {
    act: entry.act,
    outcome: entry.outcome,
    by: name.replace(LONE_SURROGATE, '\ufffd'),
    instanceId: entry.instanceId ?? null,
    unitId: entry.unitId ?? null,
    target: entry.target?.replace(LONE_SURROGATE, '\ufffd') ?? null,
    detail,
    correlationId: request?.correlationId ?? null,
    requestPath: request?.requestPath ?? null,
  };
}
