import type { KeyView } from '../../keys/key-view.js';
import type { Asked, Operation } from './operation.js';
import { collectionOf, dateText, KEY_TYPE } from './wire.js';

/** Region and account of every CRN: the names IBM gives its own mean nothing here, but the form is fixed. */
const CRN = 'crn:v1:bluemix:public:kms:local:a/keystead';
const maybe = (date: Date | null | undefined): string | undefined => (date ? dateText(date) : undefined);

export function crnOf(instanceId: string, kind: 'key' | 'policy', id: string): string {
  return `${CRN}:${instanceId}:${kind}:${id}`;
}

/** The reduced record that answers a creation; its payload only when the client asked for a representation. */
export function newKeyOf(key: KeyView, prefer: Asked<Operation>['prefer']): object {
  const crn = crnOf(key.instanceId, 'key', key.id);
  if (prefer === 'minimal') return { type: KEY_TYPE, id: key.id, name: key.name, crn };
  return { ...reduced(key, crn), payload: prefer === 'representation' ? payloadOf(key) : undefined };
}

/** A key as IBM shows it; the payload where the query brought one. Lists have many: members that are absent are undefined. */
export function keyOf(key: KeyView): object {
  const { deletion, version, dualAuthDelete, rotation } = key;
  return {
    ...reduced(key, crnOf(key.instanceId, 'key', key.id)),
    createdBy: key.createdBy,
    lastUpdateDate: dateText(key.updatedAt),
    lastRotateDate: maybe(key.rotatedAt),
    ...algorithmOf(key),
    keyVersion: version ? { id: version.id, creationDate: dateText(version.createdAt) } : undefined,
    nonactiveStateReason: key.nonactiveStateReason ?? undefined,
    dualAuthDelete: dualAuthDelete
      ? {
          enabled: dualAuthDelete.enabled,
          keySetForDeletion: dualAuthDelete.enabled ? dualAuthDelete.keySetForDeletion : undefined,
          authExpiration: maybe(dualAuthDelete.authExpiresAt),
        }
      : undefined,
    rotation: rotation ? { enabled: rotation.enabled, interval_month: rotation.intervalMonth } : undefined,
    deletionDate: maybe(deletion?.deletedAt),
    deletedBy: deletion?.deletedBy,
    restoreAllowed: deletion?.restoreAllowed,
    restoreExpirationDate: maybe(deletion?.restoreExpiresAt),
    purgeAllowed: deletion?.purgeAllowed,
    purgeAllowedFrom: maybe(deletion?.purgeAllowedFrom),
    purgeScheduledOn: maybe(deletion?.purgeScheduledOn),
    payload: payloadOf(key),
  };
}

/** What every record of a key has. */
function reduced(key: KeyView, crn: string) {
  return {
    type: KEY_TYPE,
    id: key.id,
    name: key.name,
    description: key.description ?? undefined,
    tags: listed(key.tags),
    aliases: listed(key.aliases),
    state: key.state,
    extractable: key.extractable,
    imported: key.imported,
    crn,
    keyRingID: key.keyRingId,
    creationDate: dateText(key.createdAt),
    expirationDate: maybe(key.expiresAt),
    deleted: key.deleted,
  };
}

export function keyCollection(...keys: readonly KeyView[]): object {
  return collectionOf(KEY_TYPE, keys.map(keyOf));
}

/** Deprecated members that clients still decode; standard keys have no algorithm, and keys that sign no mode. */
function algorithmOf({ bits, extractable, algorithm, usage }: KeyView) {
  if (usage === 'SIGN_VERIFY') return { algorithmType: algorithm.split('-')[0], algorithmBitSize: bits };
  const mode = extractable ? 'Deprecated' : 'CBC_PAD';
  return {
    algorithmType: extractable ? 'Deprecated' : 'AES',
    algorithmMetadata: { bitLength: String(bits), mode },
    algorithmBitSize: bits,
    algorithmMode: mode,
  };
}

const payloadOf = ({ payload }: KeyView): string | undefined => payload?.toString('base64');
const listed = (texts: readonly string[]): readonly string[] | undefined => (texts.length === 0 ? undefined : texts);
