import { KeysteadError } from '../../shared/errors.js';

/** The vendor's error codes: HTTP status, its words, and whether a sentence of ours says more. */
export const KMS_ERRORS = {
  'KMS.0101': [500, 'KMS error.', true],
  'KMS.0102': [503, 'Abnormal KMS I/O.', true],
  'KMS.0201': [400, 'Invalid request URL.', true],
  'KMS.0202': [400, 'Invalid JSON format of the request message.', true],
  'KMS.0203': [400, 'Request message too long.'],
  'KMS.0204': [400, 'Parameters missing in the request message.', true],
  'KMS.0205': [400, 'Invalid key ID.'],
  'KMS.0206': [400, 'Invalid sequence number.'],
  'KMS.0207': [404, 'The key does not exist.'],
  'KMS.0208': [400, 'Invalid value of value encryption_context.'],
  'KMS.0209': [400, 'The key has been disabled.'],
  'KMS.0210': [400, 'The key is in Scheduled deletion state and cannot be used.'],
  'KMS.0215': [405, 'The request method is not supported.', true],
  'KMS.0306': [403, 'No access permissions.'],
  'KMS.0307': [403, 'No access permissions.', true],
  'KMS.0308': [400, 'Invalid parameter.', true],
  'KMS.0309': [400, 'External keys required.'],
  'KMS.0310': [400, 'The key is not in Pending import state.'],
  'KMS.0311': [400, 'Failed to decrypt data using the RSA private key.'],
  'KMS.0312': [400, 'External keys cannot be rotated.'],
  'KMS.0313': [400, 'Key rotation is not enabled.'],
  'KMS.0324': [400, 'RSA keys cannot be rotated.'],
  'KMS.0325': [400, 'Asymmetric keys do not support this operation.'],
  'KMS.0331': [400, 'Symmetric keys do not support this operation.'],
  'KMS.0332': [400, 'Invalid signing algorithm.'],
  'KMS.0334': [400, 'The key usage does not match the operation.'],
  'KMS.0401': [400, 'Tag list cannot be empty.'],
  'KMS.0404': [400, 'Invalid action.'],
  'KMS.0407': [400, 'Invalid tag list size.'],
  'KMS.0409': [400, 'Too many tags.'],
  'KMS.0410': [400, 'Invalid tag value length.'],
  'KMS.0411': [400, 'Invalid tag key length.'],
  'KMS.0412': [400, 'Invalid tag list.'],
  'KMS.0415': [400, 'Invalid matches.'],
  'KMS.0416': [404, 'Invalid tag ID.'],
  'KMS.0417': [400, 'Invalid offset.'],
  'KMS.1101': [400, 'Invalid key_alias.'],
  'KMS.1103': [400, 'Invalid key_description.'],
  'KMS.1104': [400, 'Duplicate key aliases.'],
  'KMS.1105': [400, 'Too many keys.'],
  'KMS.1110': [400, 'Invalid alg_type.', true],
  'KMS.1201': [400, 'The key is not disabled.'],
  'KMS.1301': [400, 'The key is not enabled.'],
  'KMS.1401': [400, 'Set the pending deletion period between 7 to 1096 days.'],
  'KMS.1402': [400, 'The key is already in Pending deletion state.'],
  'KMS.1501': [400, 'The key is not in Pending deletion state.'],
  'KMS.1601': [400, 'Invalid limit.'],
  'KMS.1602': [400, 'marker must be greater than or equals 0.'],
  'KMS.1801': [400, 'random_data_length must be in the range 8 bits to 8,192 bits.'],
  'KMS.1802': [400, 'random_data_length must be a multiple of 8 bits.'],
  'KMS.1901': [400, 'datakey_length must be in the range 8 bits to 8,192 bits.'],
  'KMS.1902': [400, 'Invalid key_spec of the data key.'],
  'KMS.1903': [400, 'datakey_length must be a multiple of 8 bits.'],
  'KMS.2101': [400, 'Invalid plain_text.'],
  'KMS.2102': [400, 'Invalid datakey_plain_length.'],
  'KMS.2103': [400, 'Failed to verify the DEK hash.'],
  'KMS.2104': [400, 'datakey_plain_length does not match the length of plain_text.'],
  'KMS.2201': [400, 'Invalid cipher_text.'],
  'KMS.2202': [400, 'Invalid datakey_cipher_length.'],
  'KMS.2204': [400, 'datakey_cipher_length does not match the length of the DEK.'],
  'KMS.2401': [400, 'Specify an operation in addition to create-grant.'],
  'KMS.2402': [400, 'Invalid user ID.'],
  'KMS.2403': [400, 'Failed to create the grant.', true],
  'KMS.2404': [400, 'Too many CMK grants.'],
  'KMS.2501': [400, 'Invalid grant ID.'],
  'KMS.2601': [400, 'Token expired.'],
  'KMS.2602': [400, 'Key expiration time must be later than the current time.'],
  'KMS.2603': [400, 'Key IDs in the imported key and token do not match.'],
  'KMS.2604': [400, 'The external key plaintext length must be 32 bytes.'],
  'KMS.2605': [400, 'Token verification failed.'],
  'KMS.2606': [
    400,
    'You are importing a deleted key again. The imported plaintext must be the same as the deleted key plaintext.',
  ],
  'KMS.2608': [400, 'The private key of an asymmetric key cannot be empty.'],
  'KMS.2609': [400, 'The private key of the asymmetric key is invalid.'],
  'KMS.2610': [400, 'The length of the temporary key must be 16 or 32 bytes.'],
  'KMS.2701': [400, 'Key material is not in Enabled or Disabled state and cannot be deleted.'],
  'KMS.2702': [400, 'The private key material of an asymmetric key cannot be deleted.'],
  'KMS.2901': [400, 'Key rotation is not disabled.'],
  'KMS.3001': [400, 'rotation_interval must be in the range 30 to 365 days.'],
} as const satisfies Record<string, readonly [status: number, text: string, more?: true]>;
export type KmsCode = keyof typeof KMS_ERRORS;

export function isKmsCode(word: unknown): word is KmsCode {
  return typeof word === 'string' && Object.hasOwn(KMS_ERRORS, word);
}

/** A refusal by a rule of the wire alone. */
export class HuaweiRefusal extends KeysteadError {
  constructor(
    readonly reason: KmsCode,
    detail?: string,
  ) {
    super('BAD_REQUEST', detail ?? KMS_ERRORS[reason][1]);
  }
}

/** What the gateway in front of the vendor's service says to a caller it does not know. */
export const GATEWAY = {
  missing: 'x-auth-token not found',
  token: 'decrypt token fail',
  signature: 'verify aksk signature fail',
  limit: 'AK access failed to reach the limit,forbidden',
} as const;

/** The caller is not known. */
export class GatewayRefusal extends KeysteadError {
  constructor(readonly why: keyof typeof GATEWAY) {
    super('UNAUTHENTICATED', GATEWAY[why]);
  }
}
