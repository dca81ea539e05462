import { canonicalJson } from '../shared/canonical-json.js';
import type { KeyRowFields, NextRow, StoredRow } from '../unit-agent/protocol.js';
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
  | 'external'
  | 'algorithm'
  | 'usage'
  | 'materialExpiresAt'
  | 'materialBinding'
  | 'deletionDueAt'
  | 'state'
  | 'auditSeq'
>;

/** Rows of keys and versions that cannot change any more: requests that come together share them. */
const rows = new WeakMap<object, { readonly key: Guarded; readonly row: KeyRowFields }>();

/** What the row MAC of a version covers besides the blob. */
export function rowOf(key: Guarded, version: Pick<KeyVersion, 'id' | 'algorithm'>): KeyRowFields {
  const known = rows.get(version);
  if (known?.key === key) return known.row;
  const row = makeRow(key, version);
  if (Object.isFrozen(key) && Object.isFrozen(version)) rows.set(version, { key, row });
  return row;
}

function makeRow(key: Guarded, version: Pick<KeyVersion, 'id' | 'algorithm'>): KeyRowFields {
  return {
    instance: key.instanceId,
    key: key.id,
    version: version.id,
    algorithm: version.algorithm,
    ...nextOf(key),
  };
}

/** A version as it is stored, for a unit. */
export function storedRowOf(key: Guarded, version: KeyVersion): StoredRow {
  return { row: rowOf(key, version), blob: version.blob, mac: version.mac };
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
    rotation: rotation && shownRotation(rotation),
    dualAuthDelete: key.dualAuthDelete?.enabled ?? null,
    setForDeletion: setForDeletionBy === null ? null : [setForDeletionBy, setForDeletionUntil?.toISOString() ?? null],
    // members that most keys do not have: rows that were written before there were such members stay as they are
    ...(key.external && { external: externalOf(key) }),
    ...(key.deletionDueAt !== null && { deletionDueAt: key.deletionDueAt.toISOString() }),
  };
  const { auditSeq } = key;
  const state = STATE_NAME[key.state] ?? `unknown ${key.state}`; // of a row that was spoilt: units refuse it
  return { state, policy: canonicalJson(policy), ...(auditSeq !== null && { auditSeq }) };
}

function shownRotation({ enabled, intervalMonth, intervalDays }: NonNullable<Key['rotation']>): object {
  return { enabled, intervalMonth, ...(intervalDays !== undefined && { intervalDays }) };
}

function externalOf({ algorithm, usage, materialExpiresAt, materialBinding }: Guarded): object {
  return {
    algorithm,
    usage,
    materialExpiresAt: materialExpiresAt?.toISOString() ?? null,
    materialBinding: materialBinding?.toString('base64') ?? null,
  };
}
