import { z } from 'zod';
import type { NewKey } from '../../keys/create-key.command.js';
import type { KeyUsage } from '../../keys/key-kinds.js';
import type { KeyQuery } from '../../keys/key-query.js';
import type { KeyCondition } from '../../keys/key-state.js';
import { KEY_SPECS, KEY_USAGES, STATES } from './key-metadata.js';
import { Flag, Json, TagList, Text } from './parameters.js';
import { AlibabaError } from './refusals.js';

const MOST_DESCRIPTION = 8_192;
const ROTATION_DAYS = { least: 7, most: 730 } as const;
const SECONDS = { d: 86_400, h: 3_600, m: 60, s: 1 } as const;
/** Keys have no names in this API, but in others they do. */
const NAME = 'CMK';

export const Description = Text(MOST_DESCRIPTION).default('');

/** `30d`, `720h`, … as days. */
export const RotationInterval = z.string().transform((text, context) => {
  const [, count = '', unit = 's'] = /^([0-9]{1,9})([dhms])$/.exec(text) ?? [];
  const days = (Number(count) * SECONDS[unit as keyof typeof SECONDS]) / SECONDS.d;
  if (Number.isInteger(days) && days >= ROTATION_DAYS.least && days <= ROTATION_DAYS.most) return days;
  const message = `whole days between ${ROTATION_DAYS.least} and ${ROTATION_DAYS.most}, with d, h, m or s behind the number`;
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});

/** Keys are made of one kind here; those of others come from elsewhere. */
const KeySpec = z
  .enum(Object.values(KEY_SPECS), 'the name of an algorithm')
  .transform((spec) => {
    if (spec !== KEY_SPECS['AES-256'])
      throw new AlibabaError('UnsupportedOperation', `Only ${KEY_SPECS['AES-256']} keys can be made.`);
    return 'AES-256' as const;
  })
  .default('AES-256');

/** CreateKey, as the key that is to be made. */
export const NewKeyParameters = z
  .object({
    Origin: z.enum(['Aliyun_KMS', 'EXTERNAL'], 'Aliyun_KMS or EXTERNAL').default('Aliyun_KMS'),
    KeySpec,
    KeyUsage: z.enum([KEY_USAGES.ENCRYPT_DECRYPT], KEY_USAGES.ENCRYPT_DECRYPT).default(KEY_USAGES.ENCRYPT_DECRYPT),
    ProtectionLevel: z.enum(['SOFTWARE', 'HSM'], 'SOFTWARE or HSM').default('HSM'),
    Description,
    EnableAutomaticRotation: Flag.default(false),
    RotationInterval: RotationInterval.optional(),
    Tags: TagList.default({}),
  })
  .superRefine(({ Origin, EnableAutomaticRotation, RotationInterval }, context) => {
    const wrong = (name: string, message: string) => context.addIssue({ code: 'custom', path: [name], message });
    if (!EnableAutomaticRotation) return;
    if (Origin === 'EXTERNAL') wrong('EnableAutomaticRotation', 'false for an external key');
    if (RotationInterval === undefined) wrong('RotationInterval', 'given where keys rotate');
  })
  .transform(({ Origin, KeySpec, Description, Tags, EnableAutomaticRotation, RotationInterval }) => {
    const key: NewKey = {
      name: NAME,
      extractable: false,
      labels: Tags,
      ...(Description !== '' && { description: Description }),
      ...(Origin === 'EXTERNAL' && { external: { algorithm: KeySpec, usage: 'ENCRYPT_DECRYPT' } }),
    };
    return { key, rotationDays: EnableAutomaticRotation ? RotationInterval : undefined };
  });

const CONDITIONS = {
  Enabled: 'enabled',
  Disabled: 'disabled',
  PendingDeletion: 'pending-deletion',
  PendingImport: 'pending-import',
} as const satisfies Record<(typeof STATES)[number], KeyCondition>;

const Filter = z.discriminatedUnion('Key', [
  z.object({ Key: z.literal('KeyState'), Values: z.array(z.enum(STATES)).min(1) }),
  z.object({ Key: z.literal('KeySpec'), Values: z.array(z.string()).min(1) }),
  z.object({ Key: z.literal('KeyUsage'), Values: z.array(z.enum(Object.values(KEY_USAGES))).min(1) }),
  z.object({ Key: z.literal('ProtectionLevel'), Values: z.array(z.enum(['SOFTWARE', 'HSM'])).min(1) }),
  z.object({ Key: z.literal('CreatorType'), Values: z.array(z.enum(['User', 'Service'])).min(1) }),
]);

/** The filters of ListKeys as a query of ours; null where no key can match. */
export const KeyFilters = Json(
  z.array(Filter).max(10),
  'a JSON array of {"Key","Values"} with the keys KeyState, KeySpec, KeyUsage, ProtectionLevel and CreatorType',
).transform((filters): KeyQuery | null => {
  const valuesOf = (name: string): readonly string[] | undefined => {
    const all = filters.filter(({ Key }) => Key === name).map(({ Values }) => Values as string[]);
    return all.length === 0 ? undefined : all.reduce((a, b) => a.filter((value) => b.includes(value)));
  };
  const states = valuesOf('KeyState')?.map((state) => CONDITIONS[state as keyof typeof CONDITIONS]);
  const specs = valuesOf('KeySpec');
  const algorithms = specs && Object.keys(KEY_SPECS).filter((algorithm) => specs.includes(KEY_SPECS[algorithm] ?? ''));
  const named = valuesOf('KeyUsage');
  const usages = named && (Object.keys(KEY_USAGES) as KeyUsage[]).filter((usage) => named.includes(KEY_USAGES[usage]));
  const levels = valuesOf('ProtectionLevel') ?? ['HSM'];
  const creators = valuesOf('CreatorType') ?? ['User'];
  const none = [states, algorithms, usages].some((values) => values?.length === 0);
  if (none || !levels.includes('HSM') || !creators.includes('User')) return null;
  return { conditions: states, algorithms, usages };
});
