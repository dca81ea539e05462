import { z } from 'zod';
import { ListVersions } from '../../keys/list-versions.query.js';
import { RotateKey } from '../../keys/rotate-key.command.js';
import { SetKeyRotation } from '../../keys/set-key-rotation.command.js';
import { dateText } from './key-metadata.js';
import { RotationInterval } from './key-parameters.js';
import { operation } from './operation.js';
import { Flag, KeyId, Page } from './parameters.js';
import { AlibabaError } from './refusals.js';

const MOST_VERSIONS = 5_000;

export const LIST_KEY_VERSIONS = operation({
  name: 'ListKeyVersions',
  request: ListVersions,
  parameters: z.object({ ...Page, KeyId }),
  async serve({ by, given: { KeyId, PageNumber, PageSize }, ask, at }) {
    const page = { limit: PageSize, offset: (PageNumber - 1) * PageSize, allKeyStates: true };
    const { versions, total } = await ask(new ListVersions(by, at(KeyId), page));
    const KeyVersion = versions.map((version) => shape(KeyId, version));
    return { KeyVersions: { KeyVersion }, TotalCount: total, PageNumber, PageSize };
  },
});

export const DESCRIBE_KEY_VERSION = operation({
  name: 'DescribeKeyVersion',
  request: ListVersions,
  parameters: z.object({ KeyId, KeyVersionId: z.string() }),
  async serve({ by, given: { KeyId, KeyVersionId }, ask, at }) {
    const { versions } = await ask(new ListVersions(by, at(KeyId), { limit: MOST_VERSIONS, allKeyStates: true }));
    const version = versions.find(({ id }) => id === KeyVersionId.toLowerCase());
    if (version === undefined) throw new AlibabaError('Forbidden.KeyVersionNotFound');
    return { KeyVersion: shape(KeyId, version) };
  },
});

export const CREATE_KEY_VERSION = operation({
  name: 'CreateKeyVersion',
  request: RotateKey,
  parameters: z.object({ KeyId }),
  async serve({ by, given: { KeyId }, ask, at }) {
    await ask(new RotateKey(by, at(KeyId), {}));
    const { versions } = await ask(new ListVersions(by, at(KeyId), { limit: 1, allKeyStates: true }));
    return { KeyVersion: versions.map((version) => shape(KeyId, version))[0] };
  },
});

export const UPDATE_ROTATION_POLICY = operation({
  name: 'UpdateRotationPolicy',
  request: SetKeyRotation,
  parameters: z
    .object({ KeyId, EnableAutomaticRotation: Flag, RotationInterval: RotationInterval.optional() })
    .refine((given) => !given.EnableAutomaticRotation || given.RotationInterval !== undefined, {
      path: ['RotationInterval'],
      message: 'given where keys rotate',
    }),
  async serve({ by, given, ask, at }) {
    const input = { enabled: given.EnableAutomaticRotation, days: given.RotationInterval };
    await ask(new SetKeyRotation(by, at(given.KeyId), input));
    return {};
  },
});

function shape(keyId: string, { id, createdAt }: { readonly id: string; readonly createdAt: Date }): object {
  return { KeyId: keyId, KeyVersionId: id, CreationDate: dateText(createdAt) };
}
