import { STATUS_CODES } from 'node:http';
import { type ErrorCode, FieldError, HTTP_STATUS, type KeysteadError } from '../../shared/errors.js';
import { InstanceHeaderError, WIRE_REASONS, WireError } from './refusals.js';

/** What one of our codes is called here. `status` and `text` where they differ from ours; a text is followed by our sentence. */
interface Reason {
  readonly reason: string;
  readonly status?: number;
  readonly text?: string;
  /** The text stands alone: every refusal of this kind is the same, whatever the cause. */
  readonly alone?: true;
  readonly target?: FieldError['target'];
}

const own = (reason: string): Reason => ({ reason });
const ibm = (reason: string, text: string, status?: number): Reason => ({
  reason,
  text,
  ...(status !== undefined && { status }),
});

/** Total: a new code does not compile until it says what it is called here. IBM has no word for those marked `own`. */
export const REASONS = {
  BAD_REQUEST: ibm(
    'BAD_BODY_ERR',
    'Invalid body data was passed. Please ensure the data passed had valid formatting with no invalid characters',
  ),
  BODY_TOO_LARGE: own('BODY_TOO_LARGE_ERR'),
  UNAUTHENTICATED: own('UNAUTHORIZED_ERR'),
  FORBIDDEN: { reason: 'UNAUTHORIZED_ERR', status: 401 },
  NOT_FOUND: own('NOT_FOUND_ERR'),
  INSTANCE_NOT_FOUND: own('INSTANCE_NOT_FOUND_ERR'),
  UNIT_NOT_FOUND: own('UNIT_NOT_FOUND_ERR'),
  OPERATION_NOT_FOUND: own('OPERATION_NOT_FOUND_ERR'),
  INSTANCE_STATE: own('INSTANCE_STATE_ERR'),
  UNIT_STATE: own('UNIT_STATE_ERR'),
  UNIT_IN_MAINTENANCE: own('UNIT_IN_MAINTENANCE_ERR'),
  ADMIN_MISMATCH: own('ADMIN_MISMATCH_ERR'),
  USER_EXISTS: own('USER_EXISTS_ERR'),
  USER_NOT_FOUND: own('USER_NOT_FOUND_ERR'),
  LAST_ADMIN: own('LAST_ADMIN_ERR'),
  THRESHOLD_INVALID: own('THRESHOLD_INVALID_ERR'),
  KEYS_EXIST: own('KEYS_EXIST_ERR'),
  NO_UNIT_AVAILABLE: own('NO_UNIT_AVAILABLE_ERR'),
  COMMAND_MALFORMED: own('COMMAND_MALFORMED_ERR'),
  COMMAND_UNSIGNED: own('COMMAND_UNSIGNED_ERR'),
  SIGNATURE_INVALID: own('SIGNATURE_INVALID_ERR'),
  QUORUM_NOT_MET: own('QUORUM_NOT_MET_ERR'),
  COMMAND_EXPIRED: own('COMMAND_EXPIRED_ERR'),
  COMMAND_TARGET: own('COMMAND_TARGET_ERR'),
  COMMAND_REPLAYED: own('COMMAND_REPLAYED_ERR'),
  PLAN_REUSED: own('PLAN_REUSED_ERR'),
  IMPORTER_INVALID: own('IMPORTER_INVALID_ERR'),
  MASTER_KEY_MISMATCH: own('MASTER_KEY_MISMATCH_ERR'),
  MASTER_KEY_INVALID: own('MASTER_KEY_INVALID_ERR'),
  KMS_USER_REFUSED: own('SERVICE_UNAVAILABLE_ERR'),
  CIPHERTEXT_INVALID: {
    ...ibm('UNPROCESSABLE_CIPHERTEXT_ERR', 'The provided ciphertext is invalid or corrupted', 422),
    alone: true,
  },
  KEY_ROW_INVALID: ibm('INCOMPLETE_METADATA_ERR', 'Key metadata became corrupted: Please delete this key'),
  KEY_STATE: ibm('KEY_ACTION_INVALID_STATE_ERR', 'Key is not in a valid state'),
  KEY_NOT_FOUND: ibm('KEY_NOT_FOUND_ERR', 'Key does not exist'),
  KEY_DELETED: {
    ...ibm('KEY_DELETED_ERR', 'Key has already been deleted. Please delete references to this key.'),
    alone: true,
  },
  KEY_EXPIRED: ibm('KEY_EXPIRED_ERR', 'The action could not be performed on the key because the key is expired.'),
  KEY_NOT_ROOT: ibm('KEY_ROOT_REQ_ERR', 'Requested action can only be completed with a root key.'),
  REQUEST_TOO_EARLY: ibm('REQ_TOO_EARLY_ERR', 'The key was updated recently: Please wait and try again'),
  ROTATION_TOO_EARLY: ibm(
    'KEY_ROTATION_NOT_PERMITTED',
    "This root key has been rotated within the last hour: Only one 'rotate' action per hour is permitted",
  ),
  KEY_PAYLOAD_REQUIRED: ibm(
    'KEY_PAYLOAD_REQ_ERR',
    "This root key was created with user-supplied key material: Key material is required to perform a 'rotate' action",
  ),
  KEY_QUOTA: own('KEY_QUOTA_ERR'),
  ALIAS_EXISTS: own('KEY_ALIAS_NOT_UNIQUE_ERR'),
  ALIAS_QUOTA: own('KEY_ALIAS_QUOTA_ERR'),
  KEY_RING_NOT_FOUND: own('KEY_RING_NOT_FOUND_ERR'),
  KEY_RING_EXISTS: own('KEY_RING_NOT_UNIQUE_ERR'),
  KEY_RING_NOT_EMPTY: ibm('KEY_RING_NOT_EMPTY_ERR', 'The key ring contains at least one key (in any state)'),
  KEY_RING_KEYS_NOT_DELETED: own('KEY_RING_KEYS_NOT_DELETED_ERR'),
  KEY_RING_QUOTA: own('KEY_RING_QUOTA_ERR'),
  POLICY_FORBIDS: ibm(
    'KEY_CREATE_IMPORT_ACCESS_ERR',
    'KeyCreateImportAccess instance policy does not allow this action',
  ),
  AUTHORIZATIONS_NOT_MET: ibm('AUTHORIZATIONS_NOT_MET', 'Number of authorizations required to delete is not met'),
  NOT_DUAL_AUTH: ibm('NOT_DUAL_AUTH_ERR', 'The key is not dual auth enabled and cannot be set for deletion'),
  IMPORT_TOKEN_EXPIRED: ibm('IMPORT_TOKEN_EXPIRED_ERR', 'The import token has expired.'),
  IMPORT_INVALID: {
    ...ibm(
      'INCORRECT_NONCE_IV_ERR',
      'The provided encrypted nonce was not encrypted with the key material given OR the provided IV does not match the encrypted nonce',
    ),
    alone: true,
  },
  IMPORT_TOKEN_INVALID: own('IMPORT_TOKEN_INVALID_ERR'),
  IMPORT_TOKEN_OTHER_KEY: own('IMPORT_TOKEN_INVALID_ERR'),
  KEY_NOT_EXTERNAL: own('KEY_NOT_EXTERNAL_ERR'),
  KEY_EXTERNAL: own('KEY_EXTERNAL_ERR'),
  KEY_ASYMMETRIC: ibm('KEY_ROOT_REQ_ERR', 'Requested action can only be completed with a root key.'),
  KEY_USAGE: ibm('KEY_ROOT_REQ_ERR', 'Requested action can only be completed with a root key.'),
  MATERIAL_ABSENT: ibm('KEY_ACTION_INVALID_STATE_ERR', 'Key is not in a valid state'),
  MATERIAL_LENGTH: own('KEY_MATERIAL_INVALID_ERR'),
  MATERIAL_MISMATCH: own('KEY_MATERIAL_INVALID_ERR'),
  TEMPORARY_KEY_LENGTH: own('KEY_MATERIAL_INVALID_ERR'),
  PRIVATE_KEY_INVALID: own('KEY_MATERIAL_INVALID_ERR'),
  EXPIRY_PAST: own('INVALID_FIELD_ERR'),
  DELETION_PENDING: ibm('KEY_ACTION_INVALID_STATE_ERR', 'Key is not in a valid state'),
  DELETION_NOT_PENDING: ibm('KEY_ACTION_INVALID_STATE_ERR', 'Key is not in a valid state'),
  ALIAS_NOT_FOUND: own('NOT_FOUND_ERR'),
  LABEL_NOT_FOUND: own('NOT_FOUND_ERR'),
  LABEL_QUOTA: own('KEY_LABEL_QUOTA_ERR'),
  GRANT_NOT_FOUND: own('NOT_FOUND_ERR'),
  GRANT_QUOTA: own('KEY_GRANT_QUOTA_ERR'),
  ACCESS_KEY_NOT_FOUND: own('NOT_FOUND_ERR'),
  RESTORE_EXPIRED: ibm('KEY_RESTORE_EXPIRED', 'Key restoration has expired'),
  SEARCH_TOO_BROAD: own('KEY_SEARCH_TOO_BROAD'),
  PROTECTED_RESOURCE: {
    ...ibm('PROTECTED_RESOURCE_ERR', 'Key is protecting one or more cloud resources'),
    target: { type: 'query_param', name: 'force' },
  },
  KEY_RETAINED: ibm(
    'PREV_KEY_DEL_ERR',
    "The key cannot be deleted because it's protecting a cloud resource that has a retention policy",
  ),
  FEATURE_RESTRICTED: ibm('FEATURE_RESTRICTED_ERR', 'This feature is not enabled for this service instance'),
  FIELD_INVALID: own('INVALID_FIELD_ERR'),
  QUERY_INVALID: own('INVALID_QUERY_PARAM_ERR'),
  BODY_MISSING: ibm('NO_BODY_ERR', 'Missing body in request'),
  RATE_LIMITED: own('TOO_MANY_REQUESTS_ERR'),
  TOKEN_LOST: own('SERVICE_UNAVAILABLE_ERR'),
  TOKEN_UNSUITABLE: own('SERVICE_UNAVAILABLE_ERR'),
  PIN_REFUSED: own('SERVICE_UNAVAILABLE_ERR'),
  UNIT_FAULT: own('SERVICE_UNAVAILABLE_ERR'),
  UNIT_UNREACHABLE: own('SERVICE_UNAVAILABLE_ERR'),
  NO_HEALTHY_UPSTREAM: own('SERVICE_UNAVAILABLE_ERR'),
  DATABASE_UNAVAILABLE: own('SERVICE_UNAVAILABLE_ERR'),
  DATABASE_ROLLED_BACK: own('SERVICE_UNAVAILABLE_ERR'),
  AUDIT_UNAVAILABLE: own('SERVICE_UNAVAILABLE_ERR'),
  CONFIG_INVALID: own('INTERNAL_ERR'),
  INTERNAL: own('INTERNAL_ERR'),
  USAGE: own('INTERNAL_ERR'),
  FILE_EXISTS: own('INTERNAL_ERR'),
  FILE_INVALID: own('INTERNAL_ERR'),
  PASSPHRASE_WRONG: own('INTERNAL_ERR'),
  KEYSHARE_INVALID: own('INTERNAL_ERR'),
  UNITS_DIFFER: own('INTERNAL_ERR'),
  UNIT_KEY_UNKNOWN: own('INTERNAL_ERR'),
  UNIT_KEY_CHANGED: own('INTERNAL_ERR'),
  RECEIPT_INVALID: own('INTERNAL_ERR'),
  AUDIT_TAMPERED: own('INTERNAL_ERR'),
  SERVER_UNREACHABLE: own('INTERNAL_ERR'),
  PARTIAL_FAILURE: own('INTERNAL_ERR'),
} as const satisfies Record<ErrorCode, Reason>;

const MORE_INFO = 'https://cloud.ibm.com/apidocs/key-protect';
const UNAUTHORIZED = 'The user does not have access to the specified resource';

/** Status and body of IBM's answer to a refusal; `phrase` says which operation it was: `Key could not be created`. */
export function answerTo(error: KeysteadError, phrase: string): { status: number; body: object } {
  const { reason, status } = reasonOf(error);
  const title = STATUS_CODES[status] ?? 'Error';
  const sentence = error.code === 'FORBIDDEN' ? UNAUTHORIZED : error.message;
  // a 401 has no reasons, and the sentence about the header stands alone, as clients know it
  if (status === 401 || error instanceof InstanceHeaderError) {
    return { status, body: envelope({ errorMsg: `${title}: ${sentence}` }) };
  }
  const message = messageOf(error);
  const cause = error.code === 'NO_HEALTHY_UPSTREAM' ? error.message : phrase;
  const { target = error instanceof FieldError ? error.target : undefined }: Reason = REASONS[error.code];
  return {
    status,
    body: envelope({
      errorMsg: `${title}: ${cause}: Please see \`reasons\` for more details (${reason})`,
      reasons: [{ code: reason, message, status, moreInfo: MORE_INFO, ...(target && { target }) }],
    }),
  };
}

function reasonOf(error: KeysteadError): { reason: string; status: number } {
  if (error instanceof WireError) return { reason: error.reason, status: WIRE_REASONS[error.reason][0] };
  const { reason, status = HTTP_STATUS[error.code] }: Reason = REASONS[error.code];
  return { reason, status };
}

/** IBM's words first, then ours. */
function messageOf(error: KeysteadError): string {
  if (error instanceof WireError) return error.message;
  if (error instanceof FieldError && error.code === 'FIELD_INVALID') return mustBe('field', error);
  if (error instanceof FieldError && error.code === 'QUERY_INVALID') return mustBe('query parameter', error);
  const { text, alone }: Reason = REASONS[error.code];
  if (text === undefined) return error.message;
  if (alone || text.startsWith(error.message)) return text;
  return text.endsWith('.') ? `${text} ${capitalised(error.message)}` : `${text}: ${error.message}`;
}

const capitalised = (sentence: string) => sentence.charAt(0).toUpperCase() + sentence.slice(1);

/** "The field `name` must be: …". A sentence that says "must be" itself gives its second half. */
function mustBe(what: string, { target, message }: FieldError): string {
  const constraint = message.replace(/^.*?\bmust be:? /s, '');
  return `The ${what} \`${target.name}\` must be: ${constraint}`;
}

function envelope(resource: object): object {
  return {
    metadata: { collectionType: 'application/vnd.ibm.kms.error+json', collectionTotal: 1 },
    resources: [resource],
  };
}
