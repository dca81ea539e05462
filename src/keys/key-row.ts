import type { KeyRowFields } from '../unit-agent/protocol.js';
import type { Key, KeyVersion } from './key.entity.js';

/** What the row MAC of a key version covers besides the blob. */
export function rowOf(
  key: Pick<Key, 'id' | 'instanceId'>,
  version: Pick<KeyVersion, 'id' | 'algorithm' | 'state' | 'policy'>,
): KeyRowFields {
  return {
    instance: key.instanceId,
    key: key.id,
    version: version.id,
    algorithm: version.algorithm,
    state: version.state,
    policy: version.policy,
  };
}
