import { type ErrorCode, FieldError, type KeysteadError } from '../../shared/errors.js';
import { ALIBABA_REASONS, AlibabaError, type AlibabaReason, ParameterError } from './refusals.js';

/** What one of our codes is called here. */
interface Meaning {
  readonly reason: AlibabaReason;
  /** The parameter at fault, where it is always the same. */
  readonly parameter?: string;
  /** Alibaba's sentence stands alone: every refusal of this kind is the same, whatever the cause. */
  readonly alone?: true;
}

const is = (reason: AlibabaReason): Meaning => ({ reason });
const alone = (reason: AlibabaReason): Meaning => ({ reason, alone: true });
const because = (parameter: string): Meaning => ({ reason: 'InvalidParameter', parameter, alone: true });

const UNREADABLE = is('ParseRequestParameterException');
const UNSUPPORTED = is('UnsupportedOperation');
const UNAVAILABLE = is('ServiceUnavailableTemporary');
const OURS = is('InternalFailure');

/** Total: a new code does not compile until it says what it is called here. */
export const MEANINGS = {
  BAD_REQUEST: UNREADABLE,
  BODY_TOO_LARGE: UNREADABLE,
  UNAUTHENTICATED: alone('Forbidden.AccessKey'),
  FORBIDDEN: alone('Forbidden.NoPermission'),
  NOT_FOUND: is('InvalidAction.NotFound'),
  INSTANCE_NOT_FOUND: is('Forbidden.AccessKey'),
  UNIT_NOT_FOUND: OURS,
  OPERATION_NOT_FOUND: OURS,
  INSTANCE_STATE: UNAVAILABLE,
  UNIT_STATE: UNAVAILABLE,
  UNIT_IN_MAINTENANCE: UNAVAILABLE,
  ADMIN_MISMATCH: OURS,
  USER_EXISTS: OURS,
  USER_NOT_FOUND: OURS,
  LAST_ADMIN: OURS,
  KEYS_EXIST: OURS,
  NO_UNIT_AVAILABLE: UNAVAILABLE,
  COMMAND_MALFORMED: OURS,
  COMMAND_UNSIGNED: OURS,
  SIGNATURE_INVALID: OURS,
  QUORUM_NOT_MET: OURS,
  THRESHOLD_INVALID: OURS,
  COMMAND_EXPIRED: OURS,
  COMMAND_TARGET: OURS,
  COMMAND_REPLAYED: OURS,
  PLAN_REUSED: OURS,
  IMPORTER_INVALID: OURS,
  MASTER_KEY_MISMATCH: OURS,
  MASTER_KEY_INVALID: OURS,
  KMS_USER_REFUSED: UNAVAILABLE,
  CIPHERTEXT_INVALID: because('CiphertextBlob'),
  KEY_ROW_INVALID: is('Rejected.Unavailable'),
  KEY_STATE: is('Rejected.Disabled'),
  KEY_NOT_FOUND: is('Forbidden.KeyNotFound'),
  KEY_DELETED: is('Forbidden.KeyNotFound'),
  KEY_EXPIRED: is('Rejected.Disabled'),
  KEY_NOT_ROOT: is('Forbidden.KeyNotFound'),
  KEY_NOT_EXTERNAL: is('Unsupported.Origin'),
  KEY_EXTERNAL: is('Unsupported.Origin'),
  KEY_ASYMMETRIC: UNSUPPORTED,
  KEY_USAGE: UNSUPPORTED,
  REQUEST_TOO_EARLY: is('Rejected.StateModifiedFailed'),
  ROTATION_TOO_EARLY: is('Rejected.LimitExceeded'),
  KEY_PAYLOAD_REQUIRED: is('Unsupported.Origin'),
  KEY_QUOTA: is('Rejected.LimitExceeded'),
  ALIAS_EXISTS: is('AliasAlreadyExists'),
  ALIAS_NOT_FOUND: is('Forbidden.AliasNotFound'),
  ALIAS_QUOTA: is('Rejected.LimitExceeded'),
  KEY_RING_NOT_FOUND: UNSUPPORTED,
  KEY_RING_EXISTS: UNSUPPORTED,
  KEY_RING_NOT_EMPTY: UNSUPPORTED,
  KEY_RING_KEYS_NOT_DELETED: UNSUPPORTED,
  KEY_RING_QUOTA: is('Rejected.LimitExceeded'),
  POLICY_FORBIDS: is('Forbidden.NoPermission'),
  AUTHORIZATIONS_NOT_MET: is('Rejected.StateModifiedFailed'),
  NOT_DUAL_AUTH: UNSUPPORTED,
  DELETION_PENDING: is('Rejected.PendingDeletion'),
  DELETION_NOT_PENDING: is('Rejected.StateModifiedFailed'),
  IMPORT_TOKEN_EXPIRED: alone('ExpiredImportToken'),
  IMPORT_TOKEN_INVALID: alone('InvalidImportToken'),
  IMPORT_TOKEN_OTHER_KEY: alone('InvalidImportToken'),
  IMPORT_INVALID: alone('InvalidKeyMaterial'),
  MATERIAL_ABSENT: is('Rejected.PendingImport'),
  MATERIAL_LENGTH: alone('InvalidKeyMaterial'),
  MATERIAL_MISMATCH: alone('InvalidKeyMaterial'),
  TEMPORARY_KEY_LENGTH: alone('InvalidKeyMaterial'),
  PRIVATE_KEY_INVALID: alone('InvalidKeyMaterial'),
  EXPIRY_PAST: because('KeyMaterialExpireUnix'),
  LABEL_NOT_FOUND: because('TagKeys'),
  LABEL_QUOTA: is('Rejected.LimitExceeded'),
  GRANT_NOT_FOUND: UNSUPPORTED,
  GRANT_QUOTA: is('Rejected.LimitExceeded'),
  ACCESS_KEY_NOT_FOUND: is('InvalidAccessKeyId.NotFound'),
  RESTORE_EXPIRED: UNSUPPORTED,
  SEARCH_TOO_BROAD: is('Rejected.LimitExceeded'),
  PROTECTED_RESOURCE: is('Rejected.StateModifiedFailed'),
  KEY_RETAINED: is('Rejected.StateModifiedFailed'),
  FEATURE_RESTRICTED: UNSUPPORTED,
  FIELD_INVALID: is('InvalidParameter'),
  QUERY_INVALID: is('InvalidParameter'),
  BODY_MISSING: UNREADABLE,
  RATE_LIMITED: is('Throttling'),
  TOKEN_LOST: UNAVAILABLE,
  TOKEN_UNSUITABLE: UNAVAILABLE,
  PIN_REFUSED: UNAVAILABLE,
  UNIT_FAULT: UNAVAILABLE,
  UNIT_UNREACHABLE: UNAVAILABLE,
  NO_HEALTHY_UPSTREAM: UNAVAILABLE,
  DATABASE_UNAVAILABLE: UNAVAILABLE,
  AUDIT_UNAVAILABLE: UNAVAILABLE,
  DATABASE_ROLLED_BACK: UNAVAILABLE,
  CONFIG_INVALID: OURS,
  INTERNAL: OURS,
  USAGE: OURS,
  FILE_EXISTS: OURS,
  FILE_INVALID: OURS,
  PASSPHRASE_WRONG: OURS,
  KEYSHARE_INVALID: OURS,
  UNIT_KEY_UNKNOWN: OURS,
  UNIT_KEY_CHANGED: OURS,
  RECEIPT_INVALID: OURS,
  SERVER_UNREACHABLE: OURS,
  UNITS_DIFFER: OURS,
  AUDIT_TAMPERED: OURS,
  PARTIAL_FAILURE: OURS,
} as const satisfies Record<ErrorCode, Meaning>;

/** Reasons of one operation that differ from the table. */
export type Refusals = Partial<Record<ErrorCode, AlibabaReason>>;

/** The refusal in Alibaba's words: theirs first, then ours. */
export function inAlibabaWords(error: KeysteadError, refusals: Refusals = {}): AlibabaError {
  if (error instanceof AlibabaError) return error;
  const meaning: Meaning = MEANINGS[error.code];
  const reason = refusals[error.code] ?? meaning.reason;
  if (reason === 'InvalidParameter') {
    const target = error instanceof FieldError ? error.target.name : 'request';
    return new ParameterError(reason, meaning.parameter ?? target, meaning.alone ? '' : constraintIn(error));
  }
  return new AlibabaError(reason, meaning.alone ? '' : error.message, { cause: error });
}

/** What must hold, from a sentence that may say "must be" itself. */
function constraintIn({ message }: KeysteadError): string {
  return message.replace(/^.*?\bmust be:? /s, '');
}

/** Status and body of Alibaba's answer to a refusal. */
export function answerTo(thrown: KeysteadError, requestId: string, host: string): { status: number; body: object } {
  const { reason, message } = inAlibabaWords(thrown);
  const [status] = ALIBABA_REASONS[reason];
  return {
    status,
    body: { HttpStatus: status, Code: reason, Message: message, RequestId: requestIdOf(requestId), HostId: host },
  };
}

/** Alibaba writes its ids in upper case. */
export function requestIdOf(requestId: string): string {
  return requestId.toUpperCase();
}
