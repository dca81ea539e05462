import { z } from 'zod';
import { CreateGrant, RetireGrant, RevokeGrant } from '../../keys/grants.command.js';
import type { GrantOperation } from '../../keys/key-grant.js';
import { ListGrants, ListRetirableGrants } from '../../keys/list-grants.query.js';
import { body, hasNoNul, KeyId, optionalInteger, text } from './fields.js';
import { AnsweredId, Marker, Nothing } from './key.schemas.js';
import { operation } from './operation.js';

/** Operations that a grant can name, in the vendor's words and in ours. */
export const GRANTABLE = {
  'create-datakey': 'generate-data-key',
  'create-datakey-without-plaintext': 'generate-data-key-without-plaintext',
  'encrypt-datakey': 'encrypt-data-key',
  'decrypt-datakey': 'decrypt-data-key',
  'describe-key': 'describe',
  'create-grant': 'create-grant',
  'retire-grant': 'retire-grant',
  'encrypt-data': 'encrypt',
  'decrypt-data': 'decrypt',
  sign: 'sign',
  verify: 'verify',
  'get-publickey': 'get-public-key',
} as const satisfies Record<string, GrantOperation>;
export type Grantable = keyof typeof GRANTABLE;

export const MOST_GRANTS_LISTED = 1000;
const MOST_OFFSET = 1_000_000_000;
const Principal = text('KMS.2402')
  .regex(/^[a-zA-Z0-9-]{1,64}$/, 'KMS.2402')
  .refine(hasNoNul, 'KMS.2402');
const GrantId = text('KMS.2501').regex(/^[a-fA-F0-9]{64}$/, 'KMS.2501');
const page = {
  limit: optionalInteger('KMS.1601', 1, MOST_GRANTS_LISTED),
  marker: optionalInteger('KMS.1602', 0, MOST_OFFSET),
};
const GrantList = z.strictObject({
  grants: z.array(
    z.strictObject({
      key_id: AnsweredId,
      grant_id: z.string().regex(/^[0-9a-f]{64}$/),
      operations: z.array(z.enum(Object.keys(GRANTABLE))),
      grantee_principal: z.string(),
      grantee_principal_type: z.literal('user'),
      retiring_principal: z.string(),
      issuing_principal: z.string(),
      name: z.string(),
      creation_date: z.string().regex(/^\d{13}$/),
    }),
  ),
  next_marker: Marker,
  truncated: z.enum(['true', 'false']),
  total: z.int(),
});

export const CREATE_GRANT = operation({
  route: 'POST create-grant',
  request: CreateGrant,
  body: body({
    key_id: KeyId,
    grantee_principal: Principal,
    grantee_principal_type: z.enum(['', 'user']).optional(),
    operations: z.array(z.enum(Object.keys(GRANTABLE) as Grantable[], 'KMS.0308'), 'KMS.0308').min(1, 'KMS.0308'),
    name: text('KMS.0308')
      .regex(/^[a-zA-Z0-9:/_-]{0,255}$/, 'KMS.0308')
      .optional(),
    retiring_principal: z.union([z.literal(''), Principal], 'KMS.2402').optional(),
  }),
  answer: z.strictObject({ grant_id: z.string().regex(/^[0-9a-f]{64}$/) }),
  ownWords: { MATERIAL_ABSENT: 'KMS.1301' },
});

export const REVOKE_GRANT = operation({
  route: 'POST revoke-grant',
  request: RevokeGrant,
  body: body({ key_id: KeyId, grant_id: GrantId }),
  answer: Nothing,
});

export const RETIRE_GRANT = operation({
  route: 'POST retire-grant',
  request: RetireGrant,
  body: body({ key_id: KeyId, grant_id: GrantId }),
  answer: Nothing,
});

export const LIST_GRANTS = operation({
  route: 'POST list-grants',
  request: ListGrants,
  body: body({ key_id: KeyId, ...page }),
  answer: GrantList,
});

export const LIST_RETIRABLE_GRANTS = operation({
  route: 'POST list-retirable-grants',
  request: ListRetirableGrants,
  body: body(page),
  answer: GrantList,
});
