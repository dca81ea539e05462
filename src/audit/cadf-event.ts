import { HTTP_STATUS, isErrorCode } from '../shared/errors.js';
import type { AuditRecord } from './audit-record.js';

/**
 * A line in the form of a CADF event (DMTF DSP0262), with IBM's names for the acts on keys, rings, policies and tokens,
 * and ours, below `keystead.`, for crypto units, instances, API keys and the log itself.
 */
export interface CadfEvent {
  readonly eventType: 'activity';
  readonly id: string;
  readonly eventTime: string;
  readonly action: string;
  readonly outcome: 'success' | 'failure';
  readonly reason: { readonly reasonType: 'HTTP'; readonly reasonCode: number };
  readonly severity: 'normal' | 'warning' | 'critical';
  readonly initiator: { readonly typeURI: 'service/security/account/user'; readonly name: string };
  readonly target: { readonly typeURI: string; readonly id: string | null };
  readonly observer: { readonly typeURI: 'service/security'; readonly name: 'keystead'; readonly host: string | null };
  readonly requestData: { readonly instanceID: string | null; readonly requestURI?: string };
  readonly correlationId?: string;
}

/** What can be lost by the act, whoever does it. */
const CRITICAL = [
  'kms.secrets.delete',
  'kms.secrets.purge',
  'kms.registrations.delete',
  'keystead.crypto-unit.zeroize',
  'keystead.crypto-unit.restore.accept',
  'keystead.instance.delete',
];
const WARNING = [
  'kms.secrets.rotate',
  'kms.secrets.restore',
  'kms.secrets.enable',
  'kms.secrets.disable',
  'kms.secrets.setkeyfordeletion',
  'kms.secrets.unsetkeyfordeletion',
  'kms.policies.write',
  'kms.instance-policies.write',
  'keystead.crypto-unit.replace',
  'keystead.crypto-unit.user.add',
  'keystead.crypto-unit.user.remove',
];
const CRITICAL_RESULTS = [401, 403, 503, 507];
const WARNING_RESULTS = [400, 409, 424, 502, 504, 505];

/** The event that a line is. Everything in it follows from the line, so that an export can be checked whole. */
export function eventOf(line: Omit<AuditRecord, 'hash'>): CadfEvent {
  const action = line.act.startsWith('kms.') ? line.act : `keystead.${line.act}`;
  const reasonCode = line.outcome === 'success' ? 200 : statusOf(line.detail);
  const [system = '', resource = ''] = action.split('.');
  return {
    eventType: 'activity',
    id: line.seq,
    eventTime: line.at.toISOString(),
    action,
    outcome: line.outcome,
    reason: { reasonType: 'HTTP', reasonCode },
    severity: severityOf(action, reasonCode),
    initiator: { typeURI: 'service/security/account/user', name: line.by },
    target: { typeURI: `${system}/${resource}`, id: line.target },
    observer: { typeURI: 'service/security', name: 'keystead', host: line.unitId },
    requestData: { instanceID: line.instanceId, ...(line.requestPath !== null && { requestURI: line.requestPath }) },
    ...(line.correlationId !== null && { correlationId: line.correlationId }),
  };
}

/** The status that the refusal in a line's detail is answered with; 500 when the line does not say. */
function statusOf(detail: string | null): number {
  const { refused, error } = (detail === null ? {} : JSON.parse(detail)) as {
    refused?: unknown;
    error?: { code?: unknown };
  };
  const code = refused ?? error?.code;
  return isErrorCode(code) ? HTTP_STATUS[code] : 500;
}

function severityOf(action: string, reasonCode: number): CadfEvent['severity'] {
  if (CRITICAL.includes(action) || CRITICAL_RESULTS.includes(reasonCode)) return 'critical';
  return WARNING.includes(action) || WARNING_RESULTS.includes(reasonCode) ? 'warning' : 'normal';
}
