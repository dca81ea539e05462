/**
 * Every way Keystead can refuse: code → HTTP status, exit code of `kp`
 * (1 failed, 2 usage, 3 partial failure, 4 authentication or signature, 5 mismatch).
 * The dialects' tables are total over these codes: a new one does not compile until each dialect says what it is.
 * docs/errors.md is printed from here.
 */
const ERRORS = {
  // the request
  BAD_REQUEST: [400, 2],
  BODY_TOO_LARGE: [413, 1],
  UNAUTHENTICATED: [401, 4],
  FORBIDDEN: [403, 4],
  NOT_FOUND: [404, 1],
  INSTANCE_NOT_FOUND: [404, 1],
  UNIT_NOT_FOUND: [404, 1],
  OPERATION_NOT_FOUND: [404, 1],
  INSTANCE_STATE: [409, 1],
  // crypto units
  UNIT_STATE: [409, 1],
  UNIT_IN_MAINTENANCE: [409, 1],
  ADMIN_MISMATCH: [409, 5],
  USER_EXISTS: [409, 1],
  USER_NOT_FOUND: [404, 1],
  LAST_ADMIN: [409, 1],
  THRESHOLD_INVALID: [409, 1],
  KEYS_EXIST: [409, 1],
  NO_UNIT_AVAILABLE: [409, 1],
  // signed commands
  COMMAND_MALFORMED: [400, 4],
  COMMAND_UNSIGNED: [403, 4],
  SIGNATURE_INVALID: [403, 4],
  QUORUM_NOT_MET: [403, 4],
  COMMAND_EXPIRED: [403, 4],
  COMMAND_TARGET: [409, 1],
  COMMAND_REPLAYED: [409, 1],
  PLAN_REUSED: [409, 1],
  // master key
  IMPORTER_INVALID: [409, 1],
  MASTER_KEY_MISMATCH: [409, 5],
  MASTER_KEY_INVALID: [400, 5],
  // use of keys
  KMS_USER_REFUSED: [503, 4],
  CIPHERTEXT_INVALID: [400, 1],
  KEY_ROW_INVALID: [500, 1],
  KEY_STATE: [409, 1],
  KEY_NOT_FOUND: [404, 1],
  KEY_DELETED: [410, 1],
  KEY_EXPIRED: [400, 1],
  KEY_NOT_ROOT: [400, 1],
  REQUEST_TOO_EARLY: [409, 1],
  ROTATION_TOO_EARLY: [409, 1],
  KEY_PAYLOAD_REQUIRED: [400, 1],
  KEY_QUOTA: [409, 1],
  ALIAS_EXISTS: [409, 1],
  ALIAS_QUOTA: [409, 1],
  KEY_RING_NOT_FOUND: [404, 1],
  KEY_RING_EXISTS: [409, 1],
  KEY_RING_NOT_EMPTY: [409, 1],
  KEY_RING_KEYS_NOT_DELETED: [409, 1],
  KEY_RING_QUOTA: [409, 1],
  POLICY_FORBIDS: [409, 1],
  AUTHORIZATIONS_NOT_MET: [409, 1],
  NOT_DUAL_AUTH: [409, 1],
  IMPORT_TOKEN_EXPIRED: [409, 1],
  IMPORT_INVALID: [400, 1],
  IMPORT_TOKEN_INVALID: [400, 1],
  IMPORT_TOKEN_OTHER_KEY: [400, 1],
  KEY_NOT_EXTERNAL: [400, 1],
  KEY_EXTERNAL: [400, 1],
  KEY_ASYMMETRIC: [400, 1],
  KEY_USAGE: [400, 1],
  MATERIAL_ABSENT: [409, 1],
  MATERIAL_LENGTH: [400, 1],
  MATERIAL_MISMATCH: [400, 1],
  TEMPORARY_KEY_LENGTH: [400, 1],
  PRIVATE_KEY_INVALID: [400, 1],
  EXPIRY_PAST: [400, 1],
  DELETION_PENDING: [409, 1],
  DELETION_NOT_PENDING: [409, 1],
  ALIAS_NOT_FOUND: [404, 1],
  LABEL_NOT_FOUND: [404, 1],
  LABEL_QUOTA: [400, 1],
  GRANT_NOT_FOUND: [404, 1],
  GRANT_QUOTA: [409, 1],
  ACCESS_KEY_NOT_FOUND: [404, 1],
  RESTORE_EXPIRED: [400, 1],
  SEARCH_TOO_BROAD: [400, 1],
  PROTECTED_RESOURCE: [409, 1],
  KEY_RETAINED: [409, 1],
  FEATURE_RESTRICTED: [403, 1],
  FIELD_INVALID: [400, 2],
  QUERY_INVALID: [400, 2],
  BODY_MISSING: [400, 2],
  RATE_LIMITED: [429, 1],
  // what Keystead stands on
  TOKEN_LOST: [503, 1],
  TOKEN_UNSUITABLE: [503, 1],
  PIN_REFUSED: [503, 1],
  UNIT_FAULT: [502, 1],
  UNIT_UNREACHABLE: [503, 1],
  NO_HEALTHY_UPSTREAM: [503, 1],
  DATABASE_UNAVAILABLE: [503, 1],
  DATABASE_ROLLED_BACK: [503, 5],
  AUDIT_UNAVAILABLE: [503, 1],
  CONFIG_INVALID: [500, 2],
  INTERNAL: [500, 1],
  // the command line only
  USAGE: [400, 2],
  FILE_EXISTS: [409, 1],
  FILE_INVALID: [400, 1],
  PASSPHRASE_WRONG: [403, 4],
  KEYSHARE_INVALID: [400, 5],
  UNITS_DIFFER: [409, 5],
  UNIT_KEY_UNKNOWN: [409, 5],
  UNIT_KEY_CHANGED: [409, 5],
  RECEIPT_INVALID: [502, 5],
  AUDIT_TAMPERED: [409, 5],
  SERVER_UNREACHABLE: [503, 1],
  PARTIAL_FAILURE: [207, 3],
} as const satisfies Record<string, readonly [status: number, exit: number]>;

export type ErrorCode = keyof typeof ERRORS;

const column = (at: 0 | 1): Readonly<Record<ErrorCode, number>> =>
  Object.fromEntries(Object.entries(ERRORS).map(([code, row]) => [code, row[at]])) as Record<ErrorCode, number>;

export const HTTP_STATUS = column(0);
export const EXIT_CODE = column(1);

/** A refusal: a code for machines and one sentence, with the way out, for people. */
export class KeysteadError extends Error {
  override readonly name = 'KeysteadError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A refusal that points at the field or query parameter it is about. */
export class FieldError extends KeysteadError {
  constructor(
    code: ErrorCode,
    message: string,
    readonly target: { readonly type: 'field' | 'query_param'; readonly name: string },
  ) {
    super(code, message);
  }
}

/** A refusal that holds for a while only: `retryAfterS` seconds, at least 1. */
export class RateLimitError extends KeysteadError {
  constructor(
    message: string,
    readonly retryAfterS: number,
  ) {
    super('RATE_LIMITED', message);
  }
}

/** True for a word that is one of our codes; frames and HTTP bodies carry codes as text. */
export function isErrorCode(word: unknown): word is ErrorCode {
  return typeof word === 'string' && Object.hasOwn(HTTP_STATUS, word);
}

/** Throws a KeysteadError unless the condition holds. */
export function needs(condition: unknown, code: ErrorCode, message: string): asserts condition {
  if (!condition) throw new KeysteadError(code, message);
}

/** The message of whatever was thrown, for a log line or the cause of a KeysteadError. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
