import { type ErrorCode, isErrorCode, KeysteadError } from '../shared/errors.js';
import { ErrorBody } from './api-shapes.js';
import { CommandFailure } from './context.js';
import type { HttpResponse } from './transport.js';

/** What the reasons of IBM Key Protect's API v2 are called here, where it is not the same with _ERR at the end. */
const IBM_REASONS: Readonly<Record<string, ErrorCode>> = {
  COLLECTION_TOTAL_MISMATCH_ERR: 'BAD_REQUEST',
  BODY_QUERY_PARAM_MISMATCH_ERR: 'BAD_REQUEST',
  NUM_COLLECTION_RESOURCE_ERR: 'BAD_REQUEST',
  BAD_BODY_ERR: 'BAD_REQUEST',
  NO_BODY_ERR: 'BODY_MISSING',
  INVALID_FIELD_ERR: 'FIELD_INVALID',
  INVALID_QUERY_PARAM_ERR: 'QUERY_INVALID',
  BEARER_SUB_EXTRACTION_ERR: 'UNAUTHENTICATED',
  UNAUTHORIZED_ERR: 'FORBIDDEN',
  CONFIG_RULE_CONFLICT_ERR: 'FORBIDDEN',
  RESOURCE_OWNER_ERR: 'FORBIDDEN',
  SERVICE_ONLY_ERR: 'FORBIDDEN',
  KEY_ROOT_REQ_ERR: 'KEY_NOT_ROOT',
  KEY_ACTION_INVALID_STATE_ERR: 'KEY_STATE',
  KEY_INVALID_STATE_ERR: 'KEY_STATE',
  KEY_RESTORE_EXPIRED: 'RESTORE_EXPIRED',
  KEY_SEARCH_TOO_BROAD: 'SEARCH_TOO_BROAD',
  KEY_PAYLOAD_REQ_ERR: 'KEY_PAYLOAD_REQUIRED',
  KEY_ROTATION_NOT_PERMITTED: 'ROTATION_TOO_EARLY',
  REQ_TOO_EARLY_ERR: 'REQUEST_TOO_EARLY',
  KEY_CREATE_IMPORT_ACCESS_ERR: 'POLICY_FORBIDS',
  PREV_KEY_DEL_ERR: 'KEY_RETAINED',
  KEY_ALIAS_NOT_UNIQUE_ERR: 'ALIAS_EXISTS',
  KEY_ALIAS_QUOTA_ERR: 'ALIAS_QUOTA',
  KEY_RING_NOT_UNIQUE_ERR: 'KEY_RING_EXISTS',
  INCORRECT_NONCE_ERR: 'IMPORT_INVALID',
  INCORRECT_NONCE_IV_ERR: 'IMPORT_INVALID',
  UNPROCESSABLE_CIPHERTEXT_ERR: 'CIPHERTEXT_INVALID',
  INCOMPLETE_METADATA_ERR: 'KEY_ROW_INVALID',
  TOO_MANY_REQUESTS_ERR: 'RATE_LIMITED',
};

/** What an HTTP status means when the body names none of these codes. */
const BY_STATUS: ReadonlyMap<number, ErrorCode> = new Map([
  [400, 'BAD_REQUEST'],
  [401, 'UNAUTHENTICATED'],
  [403, 'FORBIDDEN'],
  [404, 'NOT_FOUND'],
  [409, 'INSTANCE_STATE'],
  [413, 'BODY_TOO_LARGE'],
  [422, 'BAD_REQUEST'],
  [429, 'RATE_LIMITED'],
  [503, 'NO_HEALTHY_UPSTREAM'],
]);

const EVERY_STATE = '--key-states active,suspended,deactivated,destroyed';

/** The command that helps after a refusal about keys; KEY stands for the key that was named. */
const NEXT: Partial<Record<ErrorCode, string>> = {
  KEY_NOT_FOUND: `kp keys ${EVERY_STATE}`,
  KEY_DELETED: 'kp key restore KEY',
  KEY_STATE: 'kp key show KEY --metadata',
  KEY_NOT_ROOT: 'kp keys -t root-key',
  KEY_PAYLOAD_REQUIRED: 'kp key rotate KEY -k @FILE',
  KEY_RING_NOT_FOUND: 'kp key-rings',
  KEY_RING_NOT_EMPTY: `kp keys --key-ring RING ${EVERY_STATE}`,
  KEY_RING_KEYS_NOT_DELETED: 'kp keys --key-ring RING',
  AUTHORIZATIONS_NOT_MET: 'kp key schedule-delete KEY',
  NOT_DUAL_AUTH: 'kp key policies KEY',
  PROTECTED_RESOURCE: 'kp registrations -k KEY',
  POLICY_FORBIDS: 'kp instance policies',
  IMPORT_TOKEN_EXPIRED: 'kp import-token create',
  NO_HEALTHY_UPSTREAM: 'kp crypto-units',
};

/** The refusal in an answer that is no success: our code for it, the server's sentence, and what helps. */
export function refusalOf(response: HttpResponse, url: URL): KeysteadError {
  const body = ErrorBody.safeParse(jsonOf(response.text));
  const resource = body.success ? body.data.resources[0] : undefined;
  const reason = resource?.reasons?.[0];
  const code = codeOf(reason?.code, response.status);
  if (code === 'UNAUTHENTICATED') return unauthenticated(resource?.errorMsg, url);
  const said = reason?.message ?? resource?.errorMsg ?? plainSentence(response.text);
  const message = said ?? `${url.origin}${url.pathname} answered ${response.status}`;
  const next = NEXT[code];
  if (next === undefined) return new KeysteadError(code, message);
  return new CommandFailure(code, withoutNext(message, next), named(next, url));
}

/** The server's sentence may end in the command that stands below it on its own line. */
function withoutNext(message: string, next: string): string {
  const end = `; next: ${next}`;
  return message.endsWith(end) ? message.slice(0, -end.length) : message;
}

function codeOf(word: string | undefined, status: number): ErrorCode {
  const known = word !== undefined && Object.hasOwn(IBM_REASONS, word) ? IBM_REASONS[word] : undefined;
  const plain = word?.replace(/_ERR$/, '');
  return known ?? (isErrorCode(plain) ? plain : (BY_STATUS.get(status) ?? 'INTERNAL'));
}

/** A 401 has no reasons: IBM's says in words alone whether the caller is unknown or lacks a role. */
function unauthenticated(errorMsg: string | undefined, url: URL): KeysteadError {
  if (errorMsg !== undefined && /does not have access/i.test(errorMsg)) {
    return new KeysteadError(
      'FORBIDDEN',
      'the API key may not do this: it lacks a role for it, or its scope ends elsewhere',
    );
  }
  const message = `${url.origin} does not accept the API key: it is unknown, revoked, or has ended (a bootstrap key of production after one use, or a day)`;
  return new CommandFailure('UNAUTHENTICATED', message, 'export KP_API_KEY_FILE=FILE');
}

/** What a proxy, or IBM's 503, says in one plain line. */
function plainSentence(text: string): string | undefined {
  const line = text.trim();
  return /^[^<{[\r\n][^\r\n]{0,299}$/.test(line) ? line : undefined;
}

function named(next: string, { pathname }: URL): string {
  const [, key] = /\/keys\/([^/]+)/.exec(pathname) ?? [];
  const [, ring] = /\/key_rings\/([^/]+)/.exec(pathname) ?? [];
  return next.replace('KEY', key ?? 'KEY').replace('RING', ring ?? 'RING');
}

/** The parsed JSON, or undefined for text that is not JSON: the schema then refuses it. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}
