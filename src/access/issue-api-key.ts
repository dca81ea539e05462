import { randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import type { Initiator } from '../audit/audit-entry.js';
import type { AuditLog } from '../audit/audit-log.js';
import type { Role } from '../shared/permissions.js';
import { ApiKey } from './api-key.entity.js';
import { hashOfApiKey } from './api-key-text.js';
import { toldApiKey } from './told-api-keys.js';

/** Whose key it is, what it may do and for how long; `act` and `by` go into the audit line. */
export interface NewApiKey {
  readonly name: string;
  readonly roles: readonly Role[];
  /** Null: until it is revoked. */
  readonly expiresAt: Date | null;
  /** Whether it makes one other key and nothing else. */
  readonly bootstrap?: boolean;
  readonly act: 'api-key.bootstrap' | 'api-key.create';
  readonly by: Initiator;
}

/** Puts an API key (api-key-text.ts) in force, in the caller's transaction, with an audit line. Returns the id of its row. */
export async function issueApiKey(tx: EntityManager, audit: AuditLog, key: string, about: NewApiKey): Promise<string> {
  const id = randomUUID();
  const { name, roles, expiresAt, bootstrap = false, act, by } = about;
  const given = { id, name, hash: hashOfApiKey(key), roles: [...roles], createdAt: new Date() };
  const row: ApiKey = { ...given, scopes: [], bootstrap: bootstrap || null, expiresAt, revokedAt: null };
  await tx.insert(ApiKey, row);
  await audit.append(tx, { act, outcome: 'success', by, target: id, row: toldApiKey(row) });
  return id;
}

/** Ends an API key, in the caller's transaction, with an audit line. The caller holds its row's lock, and it was in force. */
export async function revokeApiKey(
  tx: EntityManager,
  audit: AuditLog,
  key: ApiKey,
  about: { readonly by: Initiator; readonly why?: 'used' | 'renewed' },
): Promise<void> {
  const { by, why } = about;
  key.revokedAt = new Date();
  await tx.update(ApiKey, { id: key.id }, { revokedAt: key.revokedAt });
  const detail = { name: key.name, ...(why !== undefined && { why }) };
  await audit.append(tx, {
    act: 'api-key.revoke',
    outcome: 'success',
    by,
    target: key.id,
    detail,
    row: toldApiKey(key),
  });
}
