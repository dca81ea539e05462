import type { KeyView } from '../../keys/key-view.js';
import type { Asked, Operation } from './operation.js';
import { collectionOf, dateText, KEY_TYPE } from './wire.js';

/** Region and account of every CRN: the names IBM gives its own mean nothing here, but the form is fixed. */
const CRN = 'crn:v1:bluemix:public:kms:local:a/keystead';
const maybe = (date: Date | null | undefined): string | undefined => (date ? dateText(date) : undefined);

export function crnOf(instanceId: string, kind: 'key' | 'policy', id: string): string {
  return `${CRN}:${instanceId}:${kind}:${id}`;
}

/** Members of the record that answers a creation. */
const REDUCED = [
  ...['type', 'id', 'name', 'description', 'tags', 'aliases', 'state', 'extractable', 'imported', 'crn', 'keyRingID'],
  ...['creationDate', 'expirationDate', 'deleted'],
] as readonly (keyof ReturnType<typeof keyOf>)[];

/** The reduced record that answers a creation; its payload only when the client asked for a representation. */
export function newKeyOf(key: KeyView, prefer: Asked<Operation>['prefer']): object {
  const whole = keyOf(key);
  if (prefer === 'minimal') return { type: whole.type, id: whole.id, name: whole.name, crn: whole.crn };
  const payload = prefer === 'representation' ? whole.payload : undefined;
  return { ...Object.fromEntries(REDUCED.map((name) => [name, whole[name]])), payload };
}

/**
 * A key as IBM shows it; the payload where the query brought one. Members that are absent are undefined, which JSON leaves
 * out. One literal: lists have up to 5,000 keys, and objects that grow member by member take most of the time of a page.
 */
export function keyOf(key: KeyView) {
  const { deletion, version, dualAuthDelete, rotation } = key;
  const { algorithmType, algorithmMetadata, algorithmBitSize, algorithmMode } = algorithmOf(key);
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
    crn: crnOf(key.instanceId, 'key', key.id),
    keyRingID: key.keyRingId,
    creationDate: dateText(key.createdAt),
    expirationDate: maybe(key.expiresAt),
    deleted: key.deleted,
    createdBy: key.createdBy,
    lastUpdateDate: dateText(key.updatedAt),
    lastRotateDate: maybe(key.rotatedAt),
    algorithmType,
    algorithmMetadata,
    algorithmBitSize,
    algorithmMode,
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
    payload: key.payload?.toString('base64'),
  };
}

export function keyCollection(...keys: readonly KeyView[]): object {
  return collectionOf(KEY_TYPE, keys.map(keyOf));
}

/** Deprecated members that clients still decode; standard keys have no algorithm, and keys that sign no mode. */
function algorithmOf({ bits, extractable, algorithm, usage }: KeyView) {
  const signs = usage === 'SIGN_VERIFY';
  const mode = extractable ? 'Deprecated' : 'CBC_PAD';
  const type = extractable ? 'Deprecated' : 'AES';
  return {
    algorithmType: signs ? algorithm.split('-')[0] : type,
    algorithmMetadata: signs ? undefined : { bitLength: String(bits), mode },
    algorithmBitSize: bits,
    algorithmMode: signs ? undefined : mode,
  };
}

const listed = (texts: readonly string[]): readonly string[] | undefined => (texts.length === 0 ? undefined : texts);
