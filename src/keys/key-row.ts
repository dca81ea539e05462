import { canonicalJson } from '../shared/canonical-json.js';
import type { KeyRowFields, NextRow } from '../unit-agent/protocol.js';
import type { Key, KeyVersion } from './key.entity.js';
import { STATE_NAME } from './key-state.js';

/**
 * The parts of a key row that its MACs cover: whoever changes one of them behind Keystead's back, or puts the row of one
 * key in the place of another, makes every version of the key unusable.
 */
export type Guarded = Pick<
  Key,
  | 'id'
  | 'instanceId'
  | 'name'
  | 'keyRingId'
  | 'aliases'
  | 'extractable'
  | 'imported'
  | 'versionId'
  | 'expiresAt'
  | 'rotation'
  | 'dualAuthDelete'
  | 'setForDeletionBy'
  | 'setForDeletionUntil'
  | 'state'
>;

/** What the row MAC of a version covers besides the blob. */
export function rowOf(key: Guarded, version: Pick<KeyVersion, 'id' | 'algorithm'>): KeyRowFields {
  return {
    instance: key.instanceId,
    key: key.id,
    version: version.id,
    algorithm: version.algorithm,
    ...nextOf(key),
  };
}

/** The part of a row that can change. */
export function nextOf(key: Guarded): NextRow {
  const { rotation, setForDeletionBy, setForDeletionUntil } = key;
  const policy = {
    name: key.name,
    keyRingId: key.keyRingId,
    aliases: key.aliases,
    extractable: key.extractable,
    imported: key.imported,
    latest: key.versionId,
    expiresAt: key.expiresAt?.toISOString() ?? null,
    rotation: rotation && { enabled: rotation.enabled, intervalMonth: rotation.intervalMonth },
    dualAuthDelete: key.dualAuthDelete?.enabled ?? null,
    setForDeletion: setForDeletionBy === null ? null : [setForDeletionBy, setForDeletionUntil?.toISOString() ?? null],
  };
  return { state: STATE_NAME[key.state], policy: canonicalJson(policy) };
}
