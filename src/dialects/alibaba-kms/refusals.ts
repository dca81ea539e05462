import { KeysteadError } from '../../shared/errors.js';

/** What Alibaba calls a refusal: its code, its status, and its sentence (`"…"` stands for the name of a parameter). */
export const ALIBABA_REASONS = {
  // the request
  ParseRequestParameterException: [400, 'The request parameters cannot be parsed.'],
  MissingParameter: [400, 'The parameter "…" is needed but not provided.'],
  InvalidParameter: [400, 'The specified parameter "…" is not valid.'],
  'InvalidAction.NotFound': [404, 'Specified api is not found, please check your url and method.'],
  InvalidVersion: [400, 'Specified parameter Version is not valid.'],
  UnsupportedHTTPMethod: [403, 'This HTTP method is not supported.'],
  UnsupportedOperation: [400, 'This action is not supported.'],
  // who asks
  IncompleteSignature: [400, 'The request signature does not conform to Aliyun standards.'],
  SignatureDoesNotMatch: [400, 'Specified signature is not matched with our calculation.'],
  'InvalidAccessKeyId.NotFound': [404, 'Specified access key is not found.'],
  IllegalTimestamp: [
    400,
    'The input parameter "Timestamp" that is mandatory for processing this request is not supplied.',
  ],
  'InvalidTimeStamp.Expired': [400, 'Specified time stamp or date value is expired.'],
  SignatureNonceUsed: [400, 'Specified signature nonce was used already.'],
  'Forbidden.AccessKey': [403, 'This operation is forbidden for this access key.'],
  'Forbidden.NoPermission': [403, 'This operation is forbidden by permission system.'],
  Throttling: [400, 'Request was denied due to request throttling.'],
  // keys
  'Forbidden.KeyNotFound': [404, 'The specified Key is not found.'],
  'Forbidden.KeyVersionNotFound': [404, 'The specified key version is not found.'],
  'Forbidden.AliasNotFound': [404, 'The specified Alias is not found.'],
  AliasAlreadyExists: [400, 'AliasName Already Exists.'],
  'Unsupported.Alias': [400, 'Alias is not valid for this api.'],
  'Unsupported.Origin': [400, 'This key origin is not valid for this api.'],
  'Rejected.LimitExceeded': [400, 'The request was rejected because a limit is exceeded.'],
  'Rejected.Disabled': [409, 'The request was rejected because the key state is Disabled.'],
  'Rejected.PendingDeletion': [409, 'The request was rejected because the key state is PendingDeletion.'],
  'Rejected.PendingImport': [409, 'The request was rejected because the key state is PendingImport.'],
  'Rejected.StateModifiedFailed': [409, 'Keystate modified failed.'],
  'Rejected.Unavailable': [409, 'The request was rejected because the key is unavailable.'],
  // imports
  InvalidKeyMaterial: [400, 'key material is invalid.'],
  InvalidImportToken: [400, 'import token is invalid.'],
  ExpiredImportToken: [400, 'import token is expired.'],
  // a dry run
  DryRunOperationError: [400, 'The request would have succeeded, but it was a dry run.'],
  ValidationError: [400, 'The request would have failed: its parameters are not valid.'],
  AccessDeniedError: [400, 'The request would have failed: it is forbidden by permission system.'],
  // what Keystead stands on
  ServiceUnavailableTemporary: [503, 'The request has failed due to a temporary failure of the server.'],
  InternalFailure: [500, 'Internal Failure.'],
} as const satisfies Record<string, readonly [status: number, text: string]>;
export type AlibabaReason = keyof typeof ALIBABA_REASONS;

/** A refusal that is said in Alibaba's words from the start: a rule of this wire, or one that depends on the operation. */
export class AlibabaError extends KeysteadError {
  constructor(
    readonly reason: AlibabaReason,
    detail = '',
    options?: ErrorOptions,
  ) {
    super('BAD_REQUEST', [ALIBABA_REASONS[reason][1], detail].filter((part) => part !== '').join(' '), options);
  }
}

/** A refusal because of one parameter. */
export class ParameterError extends AlibabaError {
  override readonly message: string;
  constructor(reason: 'MissingParameter' | 'InvalidParameter', name: string, constraint = '') {
    super(reason);
    const text = ALIBABA_REASONS[reason][1].replace('…', name);
    this.message = constraint === '' ? text : `${text} It must be ${constraint}.`;
  }
}
