import { z } from 'zod';
import { CreateKey } from '../../keys/create-key.command.js';
import { GetKeyMetadata } from '../../keys/get-key.query.js';
import type { KeyView } from '../../keys/key-view.js';
import { ListKeys } from '../../keys/list-keys.query.js';
import { CancelKeyDeletion, ScheduleKeyDeletion } from '../../keys/scheduled-deletion.command.js';
import { SetKeyRotation } from '../../keys/set-key-rotation.command.js';
import { DisableKey, EnableKey } from '../../keys/switch-key.command.js';
import { UpdateKey } from '../../keys/update-key.command.js';
import type { Refusals } from './errors.js';
import { keyArn, keyMetadata, shown } from './key-metadata.js';
import { Description, KeyFilters, NewKeyParameters } from './key-parameters.js';
import { type Asked, operation } from './operation.js';
import { Int, KeyId, KeyOrAlias, Page } from './parameters.js';

/** Switching and deletion say no more than that they cannot. */
const UNCHANGED: Refusals = {
  KEY_STATE: 'Rejected.StateModifiedFailed',
  DELETION_PENDING: 'Rejected.StateModifiedFailed',
  MATERIAL_ABSENT: 'Rejected.StateModifiedFailed',
};
const AT_ONCE = { immediately: true, idempotent: true } as const;
const OneKey = z.object({ KeyId });

export const CREATE_KEY = operation({
  name: 'CreateKey',
  request: CreateKey,
  parameters: NewKeyParameters,
  async serve({ by, instanceId, given: { key, rotationDays: days }, ask, at }) {
    const made = await ask(new CreateKey(by, { instanceId }, key));
    if (days === undefined) return { KeyMetadata: keyMetadata(made) };
    return { KeyMetadata: keyMetadata(await ask(new SetKeyRotation(by, at(made.id), { enabled: true, days }))) };
  },
});

export const DESCRIBE_KEY = operation({
  name: 'DescribeKey',
  request: GetKeyMetadata,
  parameters: z.object({ KeyId: KeyOrAlias }),
  serve: async (asked) => ({ KeyMetadata: keyMetadata(await keyAt(asked, asked.given.KeyId)) }),
});

export const LIST_KEYS = operation({
  name: 'ListKeys',
  request: ListKeys,
  parameters: z.object({ ...Page, Filters: KeyFilters.default({}) }),
  async serve({ by, instanceId, given: { PageNumber, PageSize, Filters }, ask }) {
    const page = { ...Filters, limit: PageSize, offset: (PageNumber - 1) * PageSize };
    const { keys, total } =
      Filters === null ? { keys: [], total: 0 } : await ask(new ListKeys(by, { instanceId }, page));
    const Key = keys.map((key) => ({ KeyId: key.id, KeyArn: keyArn(key) }));
    return { Keys: { Key }, TotalCount: total, PageNumber, PageSize };
  },
});

export const UPDATE_KEY_DESCRIPTION = operation({
  name: 'UpdateKeyDescription',
  request: UpdateKey,
  parameters: z.object({ KeyId, Description }),
  async serve({ by, given, ask, at }) {
    await ask(new UpdateKey(by, at(given.KeyId), { description: given.Description || null }));
    return {};
  },
});

export const ENABLE_KEY = operation({
  name: 'EnableKey',
  request: EnableKey,
  parameters: OneKey,
  refusals: UNCHANGED,
  async serve({ by, given, ask, at }) {
    await ask(new EnableKey(by, at(given.KeyId), AT_ONCE));
    return {};
  },
});

export const DISABLE_KEY = operation({
  name: 'DisableKey',
  request: DisableKey,
  parameters: OneKey,
  refusals: UNCHANGED,
  async serve({ by, given, ask, at }) {
    await ask(new DisableKey(by, at(given.KeyId), AT_ONCE));
    return {};
  },
});

export const SCHEDULE_KEY_DELETION = operation({
  name: 'ScheduleKeyDeletion',
  request: ScheduleKeyDeletion,
  parameters: z.object({ KeyId, PendingWindowInDays: Int(7, 366) }),
  refusals: UNCHANGED,
  async serve({ by, given, ask, at }) {
    await ask(new ScheduleKeyDeletion(by, at(given.KeyId), { days: given.PendingWindowInDays }));
    return {};
  },
});

export const CANCEL_KEY_DELETION = operation({
  name: 'CancelKeyDeletion',
  request: CancelKeyDeletion,
  parameters: OneKey,
  refusals: UNCHANGED,
  async serve({ by, given, ask, at }) {
    await ask(new CancelKeyDeletion(by, at(given.KeyId), { to: 'active' }));
    return {};
  },
});

/** The key, as it stands. KEY_NOT_FOUND for one that this API does not know. */
export async function keyAt({ by, ask, at }: Asked<unknown>, name: string): Promise<KeyView> {
  return shown(await ask(new GetKeyMetadata(by, at(name))));
}
