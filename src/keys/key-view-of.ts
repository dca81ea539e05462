import type { Timers } from '../config/timers.js';
import type { Key, KeyAlias } from './key.entity.js';
import { ACTIVE, DESTROYED, NONACTIVE_REASON, PENDING, stateNow } from './key-state.js';
import { plus } from './key-timers.js';
import type { AliasView, KeyPolicyView, KeyView } from './key-view.js';

type ShownKey = Omit<Key, 'sealed' | 'materialBinding' | 'auditSeq'>;

/** A key as it is shown. `payload` only where the client may have it. */
export function keyViewOf(key: ShownKey, timers: Timers, now: Date, payload: Buffer | null = null): KeyView {
  const state = stateNow(key, now);
  const { rotation, dualAuthDelete } = key;
  return {
    id: key.id,
    instanceId: key.instanceId,
    name: key.name,
    description: key.description,
    tags: key.tags,
    aliases: key.aliases,
    state,
    nonactiveStateReason: state === ACTIVE ? null : NONACTIVE_REASON[state],
    extractable: key.extractable,
    imported: key.imported,
    external: key.external,
    algorithm: key.algorithm,
    usage: key.usage,
    labels: key.labels,
    materialExpiresAt: state === PENDING ? null : key.materialExpiresAt,
    deletionDueAt: key.deletionDueAt,
    keyRingId: key.keyRingId,
    bits: key.bits,
    createdAt: key.createdAt,
    createdBy: key.createdBy,
    updatedAt: key.updatedAt,
    changedAt: key.changedAt,
    rotatedAt: key.rotatedAt,
    expiresAt: key.expiresAt,
    version: key.extractable ? null : { id: key.versionId, createdAt: key.rotatedAt ?? key.createdAt },
    dualAuthDelete: dualAuthDelete && {
      enabled: dualAuthDelete.enabled,
      keySetForDeletion: isSetForDeletion(key, now),
      authExpiresAt: isSetForDeletion(key, now) ? key.setForDeletionUntil : null,
    },
    rotation: rotation && {
      enabled: rotation.enabled,
      intervalMonth: rotation.intervalMonth,
      intervalDays: rotation.intervalDays ?? null,
    },
    rotationDueAt: key.rotationDueAt,
    deleted: state === DESTROYED,
    deletion: state === DESTROYED ? deletionOf(key, timers, now) : null,
    payload,
  };
}

/** Whether the first authorisation to delete the key was given and still holds. */
export function isSetForDeletion(key: Pick<Key, 'setForDeletionBy' | 'setForDeletionUntil'>, now: Date): boolean {
  return key.setForDeletionBy !== null && key.setForDeletionUntil !== null && key.setForDeletionUntil > now;
}

function deletionOf(key: ShownKey, timers: Timers, now: Date): KeyView['deletion'] {
  const { deletedAt, deletedBy } = key;
  if (deletedAt === null || deletedBy === null) return null;
  const restoreExpiresAt = plus(deletedAt, timers.restoreWindow);
  const purgeAllowedFrom = plus(deletedAt, timers.purge);
  const expired = key.expiresAt !== null && key.expiresAt <= now;
  return {
    deletedAt,
    deletedBy,
    restoreAllowed: now < restoreExpiresAt && !expired,
    restoreExpiresAt,
    purgeAllowed: now >= purgeAllowedFrom,
    purgeAllowedFrom,
    purgeScheduledOn: plus(deletedAt, timers.autoPurge),
  };
}

/** The policies a key has, rotation first. */
export function policyViewsOf(key: Pick<Key, 'id' | 'rotation' | 'dualAuthDelete'>): KeyPolicyView[] {
  const { rotation, dualAuthDelete } = key;
  const stamps = ({ id, createdBy, createdAt, updatedBy, updatedAt }: NonNullable<Key['dualAuthDelete']>) => ({
    id,
    keyId: key.id,
    createdBy,
    createdAt: new Date(createdAt),
    updatedBy,
    updatedAt: new Date(updatedAt),
  });
  const views: KeyPolicyView[] = [];
  if (rotation !== null) {
    const { enabled, intervalMonth } = rotation;
    views.push({ ...stamps(rotation), rotation: { enabled, intervalMonth } });
  }
  if (dualAuthDelete !== null) {
    views.push({ ...stamps(dualAuthDelete), dualAuthDelete: { enabled: dualAuthDelete.enabled } });
  }
  return views;
}

export function aliasViewOf({ keyId, alias, createdAt, createdBy }: KeyAlias): AliasView {
  return { keyId, alias, createdAt, createdBy };
}
