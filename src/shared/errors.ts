/**
 * Every way Keystead can refuse. The union is closed and both tables are total: a new code does not compile
 * until HTTP and the command line say what it means. docs/errors.md is printed from here.
 */
export type ErrorCode =
  // the request
  | 'BAD_REQUEST'
  | 'BODY_TOO_LARGE'
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'NOT_FOUND'
  | 'INSTANCE_NOT_FOUND'
  | 'UNIT_NOT_FOUND'
  | 'OPERATION_NOT_FOUND'
  | 'INSTANCE_STATE'
  // crypto units
  | 'UNIT_STATE'
  | 'UNIT_IN_MAINTENANCE'
  | 'ADMIN_MISMATCH'
  | 'USER_EXISTS'
  | 'USER_NOT_FOUND'
  | 'LAST_ADMIN'
  | 'KEYS_EXIST'
  | 'NO_UNIT_AVAILABLE'
  // signed commands
  | 'COMMAND_MALFORMED'
  | 'COMMAND_UNSIGNED'
  | 'SIGNATURE_INVALID'
  | 'QUORUM_NOT_MET'
  | 'COMMAND_EXPIRED'
  | 'COMMAND_TARGET'
  | 'COMMAND_REPLAYED'
  | 'PLAN_REUSED'
  // master key
  | 'IMPORTER_INVALID'
  | 'MASTER_KEY_MISMATCH'
  | 'MASTER_KEY_INVALID'
  // use of keys
  | 'KMS_USER_REFUSED'
  | 'CIPHERTEXT_INVALID'
  | 'KEY_ROW_INVALID'
  | 'KEY_STATE'
  // what Keystead stands on
  | 'TOKEN_LOST'
  | 'TOKEN_UNSUITABLE'
  | 'PIN_REFUSED'
  | 'UNIT_FAULT'
  | 'UNIT_UNREACHABLE'
  | 'NO_HEALTHY_UPSTREAM'
  | 'DATABASE_UNAVAILABLE'
  | 'AUDIT_UNAVAILABLE'
  | 'CONFIG_INVALID'
  | 'INTERNAL'
  // the command line only
  | 'USAGE'
  | 'FILE_EXISTS'
  | 'FILE_INVALID'
  | 'PASSPHRASE_WRONG'
  | 'KEYSHARE_INVALID'
  | 'UNIT_KEY_UNKNOWN'
  | 'UNIT_KEY_CHANGED'
  | 'RECEIPT_INVALID'
  | 'SERVER_UNREACHABLE'
  | 'PARTIAL_FAILURE';

export const HTTP_STATUS = {
  BAD_REQUEST: 400,
  BODY_TOO_LARGE: 413,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  INSTANCE_NOT_FOUND: 404,
  UNIT_NOT_FOUND: 404,
  OPERATION_NOT_FOUND: 404,
  INSTANCE_STATE: 409,
  UNIT_STATE: 409,
  UNIT_IN_MAINTENANCE: 409,
  ADMIN_MISMATCH: 409,
  USER_EXISTS: 409,
  USER_NOT_FOUND: 404,
  LAST_ADMIN: 409,
  KEYS_EXIST: 409,
  NO_UNIT_AVAILABLE: 409,
  COMMAND_MALFORMED: 400,
  COMMAND_UNSIGNED: 403,
  SIGNATURE_INVALID: 403,
  QUORUM_NOT_MET: 403,
  COMMAND_EXPIRED: 403,
  COMMAND_TARGET: 409,
  COMMAND_REPLAYED: 409,
  PLAN_REUSED: 409,
  IMPORTER_INVALID: 409,
  MASTER_KEY_MISMATCH: 409,
  MASTER_KEY_INVALID: 400,
  KMS_USER_REFUSED: 503,
  CIPHERTEXT_INVALID: 400,
  KEY_ROW_INVALID: 500,
  KEY_STATE: 409,
  TOKEN_LOST: 503,
  TOKEN_UNSUITABLE: 503,
  PIN_REFUSED: 503,
  UNIT_FAULT: 502,
  UNIT_UNREACHABLE: 503,
  NO_HEALTHY_UPSTREAM: 503,
  DATABASE_UNAVAILABLE: 503,
  AUDIT_UNAVAILABLE: 503,
  CONFIG_INVALID: 500,
  INTERNAL: 500,
  USAGE: 400,
  FILE_EXISTS: 409,
  FILE_INVALID: 400,
  PASSPHRASE_WRONG: 403,
  KEYSHARE_INVALID: 400,
  UNIT_KEY_UNKNOWN: 409,
  UNIT_KEY_CHANGED: 409,
  RECEIPT_INVALID: 502,
  SERVER_UNREACHABLE: 503,
  PARTIAL_FAILURE: 207,
} as const satisfies Record<ErrorCode, number>;

/** 1 failed, 2 usage, 3 partial failure, 4 authentication or signature, 5 mismatch. */
export const EXIT_CODE = {
  BAD_REQUEST: 2,
  BODY_TOO_LARGE: 1,
  UNAUTHENTICATED: 4,
  FORBIDDEN: 4,
  NOT_FOUND: 1,
  INSTANCE_NOT_FOUND: 1,
  UNIT_NOT_FOUND: 1,
  OPERATION_NOT_FOUND: 1,
  INSTANCE_STATE: 1,
  UNIT_STATE: 1,
  UNIT_IN_MAINTENANCE: 1,
  ADMIN_MISMATCH: 5,
  USER_EXISTS: 1,
  USER_NOT_FOUND: 1,
  LAST_ADMIN: 1,
  KEYS_EXIST: 1,
  NO_UNIT_AVAILABLE: 1,
  COMMAND_MALFORMED: 4,
  COMMAND_UNSIGNED: 4,
  SIGNATURE_INVALID: 4,
  QUORUM_NOT_MET: 4,
  COMMAND_EXPIRED: 4,
  COMMAND_TARGET: 1,
  COMMAND_REPLAYED: 1,
  PLAN_REUSED: 1,
  IMPORTER_INVALID: 1,
  MASTER_KEY_MISMATCH: 5,
  MASTER_KEY_INVALID: 5,
  KMS_USER_REFUSED: 4,
  CIPHERTEXT_INVALID: 1,
  KEY_ROW_INVALID: 1,
  KEY_STATE: 1,
  TOKEN_LOST: 1,
  TOKEN_UNSUITABLE: 1,
  PIN_REFUSED: 1,
  UNIT_FAULT: 1,
  UNIT_UNREACHABLE: 1,
  NO_HEALTHY_UPSTREAM: 1,
  DATABASE_UNAVAILABLE: 1,
  AUDIT_UNAVAILABLE: 1,
  CONFIG_INVALID: 2,
  INTERNAL: 1,
  USAGE: 2,
  FILE_EXISTS: 1,
  FILE_INVALID: 1,
  PASSPHRASE_WRONG: 4,
  KEYSHARE_INVALID: 5,
  UNIT_KEY_UNKNOWN: 5,
  UNIT_KEY_CHANGED: 5,
  RECEIPT_INVALID: 5,
  SERVER_UNREACHABLE: 1,
  PARTIAL_FAILURE: 3,
} as const satisfies Record<ErrorCode, number>;

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
