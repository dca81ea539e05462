import { randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import type { Initiator } from '../audit/audit-entry.js';
import type { AuditLog } from '../audit/audit-log.js';
import type { Role } from '../shared/permissions.js';
import { ApiKey } from './api-key.entity.js';
import { hashOfApiKey } from './api-key-text.js';
import type { Grant } from './scope.js';
import { toldApiKey } from './told-api-keys.js';

/** Whose key it is, what it may do and for how long; `act` and `by` go into the audit line. */
export interface NewApiKey {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly scopes?: readonly Grant[];
  /** Null: until it is revoked. */
  readonly expiresAt: Date | null;
  /** Whether it makes one other key and nothing else. */
  readonly bootstrap?: boolean;
  readonly act: 'api-key.bootstrap' | 'api-key.create';
  readonly by: Initiator;
  /** What the audit line tells besides. */
  readonly detail?: object;
}

/** Puts an API key (api-key-text.ts) in force, in the caller's transaction, with an audit line. Returns its row. */
export async function issueApiKey(tx: EntityManager, audit: AuditLog, key: string, about: NewApiKey): Promise<ApiKey> {
  const { name, roles, scopes = [], expiresAt, bootstrap = false, act, by, detail } = about;
  const row: ApiKey = {
    id: randomUUID(),
    name,
    hash: hashOfApiKey(key),
    roles: [...roles],
    scopes: [...scopes],
    bootstrap: bootstrap || null,
    createdAt: new Date(),
    expiresAt,
    revokedAt: null,
  };
  await tx.insert(ApiKey, row);
  await audit.append(tx, { act, outcome: 'success', by, target: row.id, detail, row: toldApiKey(row) });
  return row;
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
