import { lengthPrefixed } from '../shared/bytes.js';
import { canonicalJson } from '../shared/canonical-json.js';
import type { KeyRowFields } from '../unit-agent/protocol.js';
import type { AccessKey } from './access-key.entity.js';

type Covered = Pick<AccessKey, 'id' | 'instanceId' | 'dialect' | 'name' | 'roles' | 'scopes' | 'expiresAt'>;

/** What the row MAC of an access key covers besides the blob: whoever changes its roles in the database makes it useless. */
export function accessKeyRow({ id, instanceId, dialect, name, roles, scopes, expiresAt }: Covered): KeyRowFields {
  const policy = canonicalJson({
    use: 'access-key',
    dialect,
    name,
    roles,
    scopes,
    expiresAt: expiresAt?.toISOString() ?? null,
  });
  return { instance: instanceId, key: id, version: id, algorithm: 'AES-256', state: 'active', policy };
}

/** What binds the sealed secret to its access key. */
export function secretAad(id: string): Buffer {
  return lengthPrefixed(['keystead/access-key/v1', id]);
}
