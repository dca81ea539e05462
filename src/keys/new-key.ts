import { randomUUID } from 'node:crypto';
import type { NewKey } from './create-key.command.js';
import type { Key, StoredDualAuth, StoredRotation } from './key.entity.js';
import { labelled } from './key-labels.js';
import { ACTIVE, PENDING } from './key-state.js';

/** The policies a new key gets, of the instance's or of its own. */
export interface NewKeyPolicies {
  readonly rotation: { readonly enabled: boolean; readonly intervalMonth: number } | null;
  readonly dualAuthDelete: { readonly enabled: boolean } | null;
}

/** The row of a new key, all but what its material decides. */
export function newKeyRow(
  id: string,
  { instanceId, keyRingId }: { readonly instanceId: string; readonly keyRingId: string },
  input: NewKey,
  policies: NewKeyPolicies,
  createdBy: string,
  createdAt: Date,
): Key {
  const { rotation, dualAuthDelete } = policies;
  return {
    id,
    instanceId,
    keyRingId,
    name: input.name,
    description: input.description ?? null,
    tags: [...(input.tags ?? [])],
    aliases: [...(input.aliases ?? [])],
    extractable: input.extractable,
    imported: input.material !== undefined || input.secure !== undefined || input.external !== undefined,
    byImportToken: input.secure !== undefined,
    external: input.external !== undefined,
    algorithm: input.external?.algorithm ?? 'AES-256',
    usage: input.external?.usage ?? 'ENCRYPT_DECRYPT',
    labels: { ...labelled({}, input.labels ?? {}) },
    bits: 0,
    state: input.external === undefined ? ACTIVE : PENDING,
    versionId: id,
    sealed: null,
    rotation: rotation && newRotation(rotation, createdBy, createdAt),
    dualAuthDelete: dualAuthDelete && newDualAuth(dualAuthDelete.enabled, createdBy, createdAt),
    setForDeletionBy: null,
    setForDeletionUntil: null,
    createdBy,
    createdAt,
    updatedAt: createdAt,
    changedAt: createdAt,
    syncedAt: null,
    rotatedAt: null,
    rotationDueAt: null,
    expiresAt: input.expiresAt ?? null,
    materialExpiresAt: null,
    materialBinding: null,
    deletionDueAt: null,
    deletedAt: null,
    deletedBy: null,
    auditSeq: null,
  };
}

export function newRotation(
  { enabled, intervalMonth }: { readonly enabled: boolean; readonly intervalMonth: number },
  by: string,
  now: Date,
): StoredRotation {
  return { ...newDualAuth(enabled, by, now), intervalMonth };
}

export function newDualAuth(enabled: boolean, by: string, now: Date): StoredDualAuth {
  const at = now.toISOString();
  return { id: randomUUID(), enabled, createdBy: by, createdAt: at, updatedBy: by, updatedAt: at };
}
