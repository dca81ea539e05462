import type { KeyRowFields } from '../unit-agent/protocol.js';
import type { ImportPair } from './import-token.entity.js';

/** Of import tokens, and of import parameters. */
export const PAIR_ALGORITHMS = ['RSA-4096', 'RSA-2048'] as const;
export type PairAlgorithm = (typeof PAIR_ALGORITHMS)[number];

/** What the row MAC of an import pair covers besides the blob. */
export function pairRow({
  id,
  instanceId,
  algorithm,
}: Pick<ImportPair, 'id' | 'instanceId' | 'algorithm'>): KeyRowFields {
  return { instance: instanceId, key: id, version: id, algorithm, state: 'active', policy: '{"use":"import"}' };
}
