import { type ErrorCode, HTTP_STATUS, type KeysteadError, RateLimitError } from '../../shared/errors.js';
import { GATEWAY, GatewayRefusal, HuaweiRefusal, KMS_ERRORS, type KmsCode } from './refusals.js';

/** What an operation calls a refusal otherwise than the rest do. */
export type OwnWords = Readonly<Partial<Record<ErrorCode, KmsCode>>>;

const FAULT = 'KMS.0101';
const UNAVAILABLE = 'KMS.0102';

/** Total: a new code does not compile until it says what it is called here. */
export const REASONS = {
  BAD_REQUEST: 'KMS.0308',
  BODY_TOO_LARGE: 'KMS.0203',
  UNAUTHENTICATED: 'KMS.0306', // an address that may not; who is not known hears it from the gateway
  FORBIDDEN: 'KMS.0307',
  NOT_FOUND: 'KMS.0201',
  INSTANCE_NOT_FOUND: 'KMS.0307',
  UNIT_NOT_FOUND: FAULT,
  OPERATION_NOT_FOUND: FAULT,
  INSTANCE_STATE: FAULT,
  UNIT_STATE: UNAVAILABLE,
  UNIT_IN_MAINTENANCE: UNAVAILABLE,
  ADMIN_MISMATCH: FAULT,
  USER_EXISTS: FAULT,
  USER_NOT_FOUND: FAULT,
  LAST_ADMIN: FAULT,
  KEYS_EXIST: FAULT,
  NO_UNIT_AVAILABLE: UNAVAILABLE,
  COMMAND_MALFORMED: FAULT,
  COMMAND_UNSIGNED: FAULT,
  SIGNATURE_INVALID: FAULT,
  QUORUM_NOT_MET: FAULT,
  THRESHOLD_INVALID: FAULT,
  COMMAND_EXPIRED: FAULT,
  COMMAND_TARGET: FAULT,
  COMMAND_REPLAYED: FAULT,
  PLAN_REUSED: FAULT,
  IMPORTER_INVALID: FAULT,
  MASTER_KEY_MISMATCH: UNAVAILABLE,
  MASTER_KEY_INVALID: FAULT,
  KMS_USER_REFUSED: UNAVAILABLE,
  CIPHERTEXT_INVALID: 'KMS.2201',
  KEY_ROW_INVALID: FAULT,
  KEY_STATE: 'KMS.0209',
  KEY_NOT_FOUND: 'KMS.0207',
  KEY_DELETED: 'KMS.0207',
  KEY_EXPIRED: 'KMS.0209',
  KEY_NOT_ROOT: 'KMS.0207', // a standard key is none of this dialect
  REQUEST_TOO_EARLY: 'KMS.0308',
  ROTATION_TOO_EARLY: 'KMS.0308',
  KEY_PAYLOAD_REQUIRED: 'KMS.0312',
  KEY_QUOTA: 'KMS.1105',
  ALIAS_EXISTS: 'KMS.1104',
  ALIAS_NOT_FOUND: 'KMS.0207',
  ALIAS_QUOTA: 'KMS.0308',
  KEY_RING_NOT_FOUND: FAULT,
  KEY_RING_EXISTS: FAULT,
  KEY_RING_NOT_EMPTY: FAULT,
  KEY_RING_KEYS_NOT_DELETED: FAULT,
  KEY_RING_QUOTA: FAULT,
  POLICY_FORBIDS: 'KMS.0307',
  AUTHORIZATIONS_NOT_MET: 'KMS.0307',
  NOT_DUAL_AUTH: 'KMS.0308',
  IMPORT_TOKEN_EXPIRED: 'KMS.2601',
  IMPORT_TOKEN_INVALID: 'KMS.2605',
  IMPORT_TOKEN_OTHER_KEY: 'KMS.2603',
  IMPORT_INVALID: 'KMS.0311',
  KEY_NOT_EXTERNAL: 'KMS.0309',
  KEY_EXTERNAL: 'KMS.0312',
  KEY_ASYMMETRIC: 'KMS.0325',
  KEY_USAGE: 'KMS.0334',
  MATERIAL_ABSENT: 'KMS.1301',
  MATERIAL_LENGTH: 'KMS.2604',
  MATERIAL_MISMATCH: 'KMS.2606',
  TEMPORARY_KEY_LENGTH: 'KMS.2610',
  PRIVATE_KEY_INVALID: 'KMS.2609',
  EXPIRY_PAST: 'KMS.2602',
  DELETION_PENDING: 'KMS.0210',
  DELETION_NOT_PENDING: 'KMS.1501',
  LABEL_NOT_FOUND: 'KMS.0416',
  LABEL_QUOTA: 'KMS.0409',
  GRANT_NOT_FOUND: 'KMS.2501',
  GRANT_QUOTA: 'KMS.2404',
  ACCESS_KEY_NOT_FOUND: 'KMS.2402',
  RESTORE_EXPIRED: 'KMS.0207',
  SEARCH_TOO_BROAD: 'KMS.0308',
  PROTECTED_RESOURCE: 'KMS.0307',
  KEY_RETAINED: 'KMS.0307',
  FEATURE_RESTRICTED: 'KMS.0308',
  FIELD_INVALID: 'KMS.0308',
  QUERY_INVALID: 'KMS.0308',
  BODY_MISSING: 'KMS.0204',
  RATE_LIMITED: UNAVAILABLE, // failed authentications hear it from the gateway
  TOKEN_LOST: UNAVAILABLE,
  TOKEN_UNSUITABLE: UNAVAILABLE,
  PIN_REFUSED: UNAVAILABLE,
  UNIT_FAULT: UNAVAILABLE,
  UNIT_UNREACHABLE: UNAVAILABLE,
  NO_HEALTHY_UPSTREAM: UNAVAILABLE,
  DATABASE_UNAVAILABLE: UNAVAILABLE,
  AUDIT_UNAVAILABLE: UNAVAILABLE,
  DATABASE_ROLLED_BACK: UNAVAILABLE,
  CONFIG_INVALID: FAULT,
  INTERNAL: FAULT,
  USAGE: FAULT,
  FILE_EXISTS: FAULT,
  FILE_INVALID: FAULT,
  PASSPHRASE_WRONG: FAULT,
  KEYSHARE_INVALID: FAULT,
  UNIT_KEY_UNKNOWN: FAULT,
  UNIT_KEY_CHANGED: FAULT,
  RECEIPT_INVALID: FAULT,
  SERVER_UNREACHABLE: FAULT,
  UNITS_DIFFER: FAULT,
  AUDIT_TAMPERED: FAULT,
  PARTIAL_FAILURE: FAULT,
} as const satisfies Record<ErrorCode, KmsCode>;

/**
 * Status and body of the vendor's answer to a refusal. The members stand twice, since the SDK for Node looks for them at
 * the top and the others inside `error`.
 */
export function answerTo(
  error: KeysteadError,
  requestId: string,
  ownWords: OwnWords = {},
): { status: number; body: object } {
  if (error instanceof GatewayRefusal) return gatewayAnswer(error.message, requestId);
  if (error instanceof RateLimitError) return gatewayAnswer(GATEWAY.limit, requestId);
  const reason = error instanceof HuaweiRefusal ? error.reason : (ownWords[error.code] ?? REASONS[error.code]);
  const [status, text, more]: readonly [number, string, true?] = KMS_ERRORS[reason];
  const error_msg = more && error.message !== text ? `${text} ${error.message}` : text;
  const said = { error_code: reason, error_msg };
  return { status, body: { error: said, ...said } };
}

function gatewayAnswer(why: string, requestId: string): { status: number; body: object } {
  return {
    status: HTTP_STATUS.UNAUTHENTICATED,
    body: {
      error_msg: `Incorrect IAM authentication information: ${why}`,
      error_code: 'APIGW.0301',
      request_id: requestId.replaceAll('-', ''),
    },
  };
}
