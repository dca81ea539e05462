import type { KeyRowFields } from '../unit-agent/protocol.js';
import type { ImportPair } from './import-token.entity.js';

export const PAIR_ALGORITHM = 'RSA-4096';

/** What the row MAC of an import pair covers besides the blob. */
export function pairRow({
  id,
  instanceId,
  algorithm,
}: Pick<ImportPair, 'id' | 'instanceId' | 'algorithm'>): KeyRowFields {
  return { instance: instanceId, key: id, version: id, algorithm, state: 'active', policy: '{"use":"import"}' };
}
