import { z } from 'zod';
import { body, Description, integer, KeyAlias, KeyId, KeyName, optionalInteger, text } from './fields.js';
import { KEY_SPECS, KEY_STATES, type KeySpec } from './wire.js';

export const MOST_LISTED = 1000;
const MOST_OFFSET = 1_000_000_000;

/** What is asked. */
export const CreateBody = body({
  key_alias: KeyAlias,
  key_spec: z.enum(Object.keys(KEY_SPECS) as KeySpec[], 'KMS.1110').default('AES_256'),
  key_usage: z.enum(['ENCRYPT_DECRYPT', 'SIGN_VERIFY'], 'KMS.0334').optional(),
  key_description: Description.default(''),
  origin: z.enum(['kms', 'external']).default('kms'),
  enterprise_project_id: z.string().optional(),
  keystore_id: z.enum(['', '0']).optional(),
});
export const KeyIdBody = body({ key_id: KeyId });
export const KeyNameBody = body({ key_id: KeyName });
export const ListBody = body({
  limit: optionalInteger('KMS.1601', 1, MOST_LISTED),
  marker: optionalInteger('KMS.1602', 0, MOST_OFFSET),
  key_state: z.union([z.literal(''), integer('KMS.0308', 1, 5)], 'KMS.0308').optional(),
  key_spec: z.enum(['', 'ALL', ...Object.keys(KEY_SPECS)]).optional(),
});
export const DeletionBody = body({ key_id: KeyId, pending_days: integer('KMS.1401', 7, 1096) });
export const AliasBody = body({ key_id: KeyId, key_alias: KeyAlias });
export const DescriptionBody = body({ key_id: KeyId, key_description: Description });
export const IntervalBody = body({ key_id: KeyId, rotation_interval: integer('KMS.3001', 30, 365) });

/** What is answered: JSON types as the strict clients want them. */
const Milliseconds = z.string().regex(/^(\d{13})?$/);
const Flag = z.enum(['true', 'false']);
export const AnsweredId = text('KMS.0205').regex(/^[0-9a-f-]{36}$/);
const HexId = z.string().regex(/^[0-9a-f]{32}$/);
const State = z.enum(Object.values(KEY_STATES));
export const Marker = z.string().regex(/^\d*$/);

export const KeyDetails = z.strictObject({
  key_id: AnsweredId,
  domain_id: HexId,
  key_alias: z.string(),
  realm: z.string(),
  key_spec: z.string(),
  key_usage: z.enum(['ENCRYPT_DECRYPT', 'SIGN_VERIFY']),
  key_description: z.string(),
  creation_date: Milliseconds,
  scheduled_deletion_date: Milliseconds,
  key_state: State,
  default_key_flag: z.literal('0'),
  key_type: z.literal('1'),
  expiration_time: Milliseconds,
  origin: z.enum(['kms', 'external']),
  key_rotation_enabled: Flag,
  sys_enterprise_project_id: z.literal('0'),
  keystore_id: z.literal('0'),
});
export const Created = z.strictObject({ key_info: z.strictObject({ key_id: AnsweredId, domain_id: HexId }) });
export const Described = z.strictObject({ key_info: KeyDetails });
export const Listed = z.strictObject({
  keys: z.array(AnsweredId),
  key_details: z.array(KeyDetails),
  next_marker: Marker,
  truncated: Flag,
  total: z.int(),
});
export const Switched = z.strictObject({ key_info: z.strictObject({ key_id: AnsweredId, key_state: State }) });
export const Scheduled = z.strictObject({ key_id: AnsweredId, key_state: State });
export const Renamed = z.strictObject({ key_info: z.strictObject({ key_id: AnsweredId, key_alias: z.string() }) });
export const Redescribed = z.strictObject({
  key_info: z.strictObject({ key_id: AnsweredId, key_description: z.string() }),
});
export const Nothing = z.strictObject({});
export const RotationStatus = z.strictObject({
  key_rotation_enabled: z.boolean(),
  rotation_interval: z.int(),
  last_rotation_time: Milliseconds,
  number_of_rotations: z.int(),
});
