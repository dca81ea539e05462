import { randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import type { AuditLog } from '../audit/audit-log.js';
import type { Role } from '../shared/permissions.js';
import { ApiKey } from './api-key.entity.js';
import { hashOfApiKey } from './api-key-text.js';

/** Whose key it is, what it may do and for how long; `act` and `by` go into the audit line. */
export interface NewApiKey {
  readonly name: string;
  readonly roles: readonly Role[];
  /** Null: until it is revoked. */
  readonly expiresAt: Date | null;
  /** Whether it makes one other key and nothing else. */
  readonly bootstrap?: boolean;
  readonly act: 'api-key.bootstrap' | 'api-key.create';
  readonly by: string;
}

/** Puts an API key (api-key-text.ts) in force, in the caller's transaction, with an audit line. Returns the id of its row. */
export async function issueApiKey(tx: EntityManager, audit: AuditLog, key: string, about: NewApiKey): Promise<string> {
  const id = randomUUID();
  const { name, roles, expiresAt, bootstrap = false, act, by } = about;
  const row = { id, name, hash: hashOfApiKey(key), roles: [...roles], createdAt: new Date() };
  await tx.insert(ApiKey, { ...row, scopes: [], bootstrap: bootstrap || null, expiresAt, revokedAt: null });
  await audit.append(tx, { act, outcome: 'success', by, target: id });
  return id;
}
