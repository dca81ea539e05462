import { conditionOf, type KeyCondition } from '../../keys/key-state.js';
import type { KeyView } from '../../keys/key-view.js';
import { needs } from '../../shared/errors.js';

export const REGION = 'local';
const DAY_S = 86_400;

export const STATES = ['Enabled', 'Disabled', 'PendingDeletion', 'PendingImport'] as const;
export type AlibabaState = (typeof STATES)[number];

/** Alibaba's names of algorithms; it has no EC_P384 and no Aliyun_AES_128, but keys of one store may come from elsewhere. */
export const KEY_SPECS: Readonly<Record<string, string>> = {
  'AES-128': 'Aliyun_AES_128',
  'AES-192': 'Aliyun_AES_192',
  'AES-256': 'Aliyun_AES_256',
  'RSA-2048': 'RSA_2048',
  'RSA-3072': 'RSA_3072',
  'RSA-4096': 'RSA_4096',
  'EC-P256': 'EC_P256',
  'EC-P384': 'EC_P384',
};
export const KEY_USAGES = { ENCRYPT_DECRYPT: 'ENCRYPT/DECRYPT', SIGN_VERIFY: 'SIGN/VERIFY' } as const;

const STATE_OF = {
  enabled: 'Enabled',
  disabled: 'Disabled',
  'pending-deletion': 'PendingDeletion',
  'pending-import': 'PendingImport',
} as const satisfies Record<KeyCondition, AlibabaState>;

/** The key, unless it is one that this API does not know: deleted, or a standard key. */
export function shown<T extends Pick<KeyView, 'id' | 'extractable'> & Parameters<typeof conditionOf>[0]>(key: T): T {
  const isThere = conditionOf(key) !== null && !key.extractable;
  needs(isThere, 'KEY_NOT_FOUND', `there is no key ${key.id} for this API`);
  return key;
}

export function keyArn({ instanceId, id }: Pick<KeyView, 'instanceId' | 'id'>): string {
  return `acs:kms:${REGION}:${instanceId}:key/${id}`;
}

/** A key as Alibaba shows it. Every member is text, since clients decode into text; an absent one is empty. */
export function keyMetadata(key: KeyView): Record<string, string> {
  const condition = conditionOf(key);
  const days = key.rotation?.enabled ? (key.rotation.intervalDays ?? key.rotation.intervalMonth * 30) : null;
  return {
    KeyId: key.id,
    Arn: keyArn(key),
    Creator: key.instanceId,
    CreationDate: dateText(key.createdAt),
    Description: key.description ?? '',
    KeySpec: KEY_SPECS[key.algorithm] ?? key.algorithm,
    KeyUsage: KEY_USAGES[key.usage],
    KeyState: condition === null ? '' : STATE_OF[condition],
    Origin: key.external ? 'EXTERNAL' : 'Aliyun_KMS',
    ProtectionLevel: 'HSM',
    PrimaryKeyVersion: key.version?.id ?? '',
    DeleteDate: dateText(key.deletionDueAt),
    MaterialExpireTime: dateText(key.materialExpiresAt),
    LastRotationDate: dateText(key.rotatedAt ?? key.createdAt),
    AutomaticRotation: days === null ? 'Disabled' : 'Enabled',
    ...(days !== null && { RotationInterval: `${days * DAY_S}s`, NextRotationDate: dateText(key.rotationDueAt) }),
    DeletionProtection: 'Disabled',
  };
}

/** ISO 8601 in UTC, to the second; empty for none. */
export function dateText(date: Date | null): string {
  return date === null ? '' : date.toISOString().replace(/\.\d+Z$/, 'Z');
}
