import { ApiKey } from '../src/access/api-key.entity.js';
import { makeApiKey } from '../src/access/api-key-text.js';
import { issueApiKey } from '../src/access/issue-api-key.js';
import { AuditLine } from '../src/audit/audit-line.entity.js';
import { AuditLog } from '../src/audit/audit-log.js';
import { ROLES, type Role } from '../src/shared/permissions.js';
import { openWith } from './database/own-database.js';
import type { World } from './world.js';

/** Who may send a request: one key per role, a key of each kind that is not good, and nobody. */
export const STRANGERS = ['no key', 'an unknown key', 'a revoked key', 'an expired key'] as const;
export type Caller = Role | (typeof STRANGERS)[number];
export const CALLERS: readonly Caller[] = [...ROLES, ...STRANGERS];

export type Callers = Readonly<Record<Caller, Readonly<Record<string, string>>>>;

/** The headers by which each caller is known, for keys made in the world's database. */
export async function callersOf(world: World): Promise<Callers> {
  const db = await openWith(world.databaseUrl, [ApiKey, AuditLine]);
  const audit = new AuditLog(db);
  const issue = async (name: string, roles: readonly Role[], expiresAt: Date | null = null) => {
    const key = makeApiKey();
    const about = { name, roles, expiresAt, act: 'api-key.create', by: { name: 'a test' } } as const;
    const { id } = await db.transaction((tx) => issueApiKey(tx, audit, key, about));
    return { id, headers: { authorization: `Bearer ${key}` } };
  };
  try {
    const headers: Partial<Record<Caller, Readonly<Record<string, string>>>> = {
      'no key': { authorization: '' },
      'an unknown key': { authorization: `Bearer ${makeApiKey()}` },
      'an expired key': (await issue('expired', ['Manager'], new Date(Date.now() - 1))).headers,
    };
    for (const role of ROLES) headers[role] = (await issue(role, [role])).headers;
    const revoked = await issue('revoked', ['Manager']);
    headers['a revoked key'] = revoked.headers;
    await db.manager.update(ApiKey, { id: revoked.id }, { revokedAt: new Date() });
    return headers as Callers;
  } finally {
    await db.destroy();
  }
}
