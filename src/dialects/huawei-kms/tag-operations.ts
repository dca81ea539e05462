import { z } from 'zod';
import { GetKeyMetadata } from '../../keys/get-key.query.js';
import { LabelKey, UnlabelKey } from '../../keys/labels.command.js';
import { ListKeys } from '../../keys/list-keys.query.js';
import { ListLabels } from '../../keys/list-labels.query.js';
import { body, hasNoNul, optionalInteger, text } from './fields.js';
import { AnsweredId, KeyDetails, MOST_LISTED } from './key.schemas.js';
import { operation } from './operation.js';

/** Tags a key may have, and of one request. */
export const MOST_TAGS = 10;
const MOST_OFFSET = 1_000_000_000;

const Key = text('KMS.0411').min(1, 'KMS.0411').max(36, 'KMS.0411').refine(hasNoNul, 'KMS.0411');
const Value = text('KMS.0410').max(43, 'KMS.0410').refine(hasNoNul, 'KMS.0410');
const Tag = z.object({ key: Key, value: Value.default('') }, 'KMS.0412');
const Tags = z.array(Tag, 'KMS.0412').min(1, 'KMS.0401').max(MOST_TAGS, 'KMS.0407');
const AnsweredTag = z.strictObject({ key: z.string(), value: z.string() });

export const ADD_TAG = operation({
  route: 'POST :key/tags',
  request: LabelKey,
  body: body({ tag: Tag }),
  answer: null,
});

export const CHANGE_TAGS = operation({
  route: 'POST :key/tags/action',
  request: LabelKey,
  body: body({ action: z.enum(['create', 'delete'], 'KMS.0404'), tags: Tags }),
  answer: null,
});

export const REMOVE_TAG = operation({
  route: 'DELETE :key/tags/:tag',
  request: UnlabelKey,
  answer: null,
});

export const KEY_TAGS = operation({
  route: 'GET :key/tags',
  request: GetKeyMetadata,
  answer: z.strictObject({ tags: z.array(AnsweredTag), sys_tags: z.tuple([]), existTagsNum: z.int() }),
});

export const PROJECT_TAGS = operation({
  route: 'GET tags',
  request: ListLabels,
  answer: z.strictObject({ tags: z.array(z.strictObject({ key: z.string(), values: z.array(z.string()) })) }),
});

const Wanted = z.object({ key: Key, values: z.array(Value, 'KMS.0412').max(MOST_TAGS, 'KMS.0407').default([]) });
const Match = z.object({ key: z.literal('resource_name', 'KMS.0415'), value: text('KMS.0415').max(255, 'KMS.0415') });

export const TAGGED_KEYS = operation({
  route: 'POST resource_instances/action',
  request: ListKeys,
  body: body({
    action: z.enum(['filter', 'count'], 'KMS.0404'),
    tags: z.array(Wanted, 'KMS.0412').max(MOST_TAGS, 'KMS.0407').default([]),
    matches: z.array(Match, 'KMS.0415').max(1, 'KMS.0415').default([]),
    limit: optionalInteger('KMS.1601', 1, MOST_LISTED),
    offset: optionalInteger('KMS.0417', 0, MOST_OFFSET),
  }),
  answer: z.strictObject({
    resources: z
      .array(
        z.strictObject({
          resource_id: AnsweredId,
          resource_detail: KeyDetails,
          resource_name: z.string(),
          tags: z.array(AnsweredTag),
        }),
      )
      .optional(),
    total_count: z.int(),
  }),
});
