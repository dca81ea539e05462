import { z } from 'zod';
import { GetKeyMetadata } from '../../keys/get-key.query.js';
import type { Labels } from '../../keys/key-labels.js';
import type { KeyView } from '../../keys/key-view.js';
import { LabelKey, UnlabelKey } from '../../keys/labels.command.js';
import { ListKeys } from '../../keys/list-keys.query.js';
import { keyAt } from './life-operations.js';
import { type Asked, operation } from './operation.js';
import { Int, Json, KeyId, TagList } from './parameters.js';

const MOST_RESOURCES = 50;
const MOST_TAGS = 20;
const KEYS_A_PAGE = 100;

const ResourceType = z.enum(['key'], 'key');
const ResourceIds = z.array(KeyId).min(1).max(MOST_RESOURCES, `at most ${MOST_RESOURCES}`);
const NumberedTag = z.object({ Key: z.string().min(1), Value: z.string().default('') });
const NumberedTags = z.array(NumberedTag, 'Tag.N.Key and Tag.N.Value').max(MOST_TAGS, `at most ${MOST_TAGS}`);
const Names = z.array(z.string().min(1)).min(1);

/** A JSON array of names; some clients send them with commas between. */
const TagKeys = z.string().transform((text, context) => {
  const read = text.startsWith('[')
    ? Json(Names, 'a JSON array of names').safeParse(text)
    : Names.safeParse(text.split(','));
  if (read.success) return read.data;
  context.addIssue({ code: 'custom', message: 'a JSON array of names' });
  return z.NEVER;
});

export const TAG_RESOURCE = operation({
  name: 'TagResource',
  request: LabelKey,
  parameters: z.object({ KeyId, Tags: TagList }),
  async serve(asked) {
    await label(asked, asked.given.KeyId, asked.given.Tags);
    return {};
  },
});

export const UNTAG_RESOURCE = operation({
  name: 'UntagResource',
  request: UnlabelKey,
  parameters: z.object({ KeyId, TagKeys }),
  async serve(asked) {
    await unlabel(asked, asked.given.KeyId, asked.given.TagKeys);
    return {};
  },
});

export const LIST_RESOURCE_TAGS = operation({
  name: 'ListResourceTags',
  request: GetKeyMetadata,
  parameters: z.object({ KeyId }),
  async serve(asked) {
    const { id, labels } = await keyAt(asked, asked.given.KeyId);
    const Tag = Object.entries(labels).map(([TagKey, TagValue]) => ({ KeyId: id, TagKey, TagValue }));
    return { Tags: { Tag } };
  },
});

export const TAG_RESOURCES = operation({
  name: 'TagResources',
  request: LabelKey,
  parameters: z.object({ ResourceType, ResourceId: ResourceIds, Tag: NumberedTags.min(1) }),
  async serve(asked) {
    const labels = Object.fromEntries(asked.given.Tag.map(({ Key, Value }) => [Key, Value]));
    for (const id of asked.given.ResourceId) await label(asked, id, labels);
    return {};
  },
});

export const UNTAG_RESOURCES = operation({
  name: 'UntagResources',
  request: UnlabelKey,
  parameters: z.object({
    ResourceType,
    ResourceId: ResourceIds,
    TagKey: Names.optional(),
    All: z.enum(['true', 'false'], 'true or false').default('false'),
  }),
  async serve(asked) {
    const { ResourceId, TagKey = [], All } = asked.given;
    for (const id of ResourceId) {
      const every = All === 'true' && TagKey.length === 0;
      await unlabel(asked, id, every ? Object.keys((await keyAt(asked, id)).labels) : TagKey);
    }
    return {};
  },
});

export const LIST_TAG_RESOURCES = operation({
  name: 'ListTagResources',
  request: ListKeys,
  parameters: z.object({
    ResourceType,
    ResourceId: ResourceIds.optional(),
    Tag: NumberedTags.optional(),
    NextToken: Int(0, 1_000_000_000).default(0),
  }),
  async serve(asked) {
    const { ResourceId, Tag = [], NextToken } = asked.given;
    const { keys, next } =
      ResourceId === undefined ? await tagged(asked, Tag, NextToken) : await named(asked, ResourceId);
    const TagResource = keys.flatMap(({ id, labels }) =>
      Object.entries(labels)
        .filter(
          ([name, value]) =>
            Tag.length === 0 || Tag.some(({ Key, Value }) => Key === name && (Value === '' || Value === value)),
        )
        .map(([TagKey, TagValue]) => ({ ResourceId: id, ResourceType: 'key', TagKey, TagValue })),
    );
    return { TagResources: { TagResource }, NextToken: next };
  },
});

type Keys = { readonly keys: readonly KeyView[]; readonly next: string };

async function named(asked: Asked<unknown>, ids: readonly string[]): Promise<Keys> {
  const keys: KeyView[] = [];
  for (const id of ids) keys.push(await keyAt(asked, id));
  return { keys, next: '' };
}

async function tagged(
  { by, instanceId, ask }: Asked<unknown>,
  tags: readonly z.output<typeof NumberedTag>[],
  offset: number,
): Promise<Keys> {
  const labels = Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value === '' ? [] : [Value]]));
  const { keys, total } = await ask(new ListKeys(by, { instanceId }, { labels, limit: KEYS_A_PAGE, offset }));
  const end = offset + keys.length;
  return { keys, next: end < total ? String(end) : '' };
}

async function label({ by, ask, at }: Asked<unknown>, id: string, labels: Labels): Promise<void> {
  await ask(new LabelKey(by, at(id), { labels, most: MOST_TAGS }));
}

async function unlabel({ by, ask, at }: Asked<unknown>, id: string, names: readonly string[]): Promise<void> {
  await ask(new UnlabelKey(by, at(id), { names, lenient: true }));
}
