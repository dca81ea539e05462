import { z } from 'zod';
import { CreateAlias, DeleteAlias } from '../../keys/alias.command.js';
import { ListAliases } from '../../keys/list-aliases.query.js';
import { MoveAlias } from '../../keys/move-alias.command.js';
import { body, KeyId, optionalInteger, text } from './fields.js';
import { AnsweredId, Marker, MOST_LISTED } from './key.schemas.js';
import { operation } from './operation.js';

const MOST_ALIASES = 50;
const MOST_OFFSET = 1_000_000_000;
const Alias = text('KMS.1101').regex(/^alias\/[a-zA-Z0-9:/_-]{1,249}$/, 'KMS.1101');
const AnsweredAlias = z.strictObject({
  domain_id: z.string(),
  key_id: AnsweredId,
  alias: z.string(),
  alias_urn: z.string(),
  create_time: z.string().regex(/^\d{13}$/),
  update_time: z.string().regex(/^\d{13}$/),
});

export const CREATE_ALIAS = operation({
  route: 'POST aliases',
  request: CreateAlias,
  body: body({ key_id: KeyId, alias: Alias }),
  answer: AnsweredAlias,
});

export const ASSOCIATE_ALIAS = operation({
  route: 'POST alias/associate',
  request: MoveAlias,
  body: body({ target_key_id: KeyId, alias: Alias }),
  answer: AnsweredAlias,
});

export const LIST_ALIASES = operation({
  route: 'GET aliases',
  request: ListAliases,
  query: z.object({
    key_id: z.union([z.literal(''), KeyId], 'KMS.0205').optional(),
    limit: optionalInteger('KMS.1601', 1, MOST_LISTED),
    marker: optionalInteger('KMS.1602', 0, MOST_OFFSET),
  }),
  answer: z.strictObject({
    aliases: z.array(AnsweredAlias),
    page_info: z.strictObject({ next_marker: Marker, current_count: z.int() }),
  }),
});

export const DELETE_ALIASES = operation({
  route: 'DELETE aliases',
  request: DeleteAlias,
  body: body({ key_id: KeyId, aliases: z.array(Alias, 'KMS.1101').min(1, 'KMS.1101').max(MOST_ALIASES, 'KMS.1101') }),
  answer: null,
  ownWords: { NOT_FOUND: 'KMS.1101', ALIAS_NOT_FOUND: 'KMS.1101' },
});
