import { FieldError } from '../shared/errors.js';
import { ROLES, type Role } from '../shared/permissions.js';
import type { ApiKey } from './api-key.entity.js';
import type { Grant } from './scope.js';

/** An API key as it is shown: never its text. */
export interface ApiKeyView {
  readonly id: string;
  readonly name: string;
  readonly roles: readonly Role[];
  readonly scopes: readonly Grant[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
}

export function apiKeyViewOf({ id, name, roles, scopes, createdAt, expiresAt, revokedAt }: ApiKey): ApiKeyView {
  return { id, name, roles, scopes, createdAt, expiresAt, revokedAt };
}

interface Asked {
  readonly name: string;
  readonly roles?: readonly Role[] | undefined;
  readonly scopes?: readonly Grant[] | undefined;
  readonly expiresAt?: Date | undefined;
}

/** Throws FIELD_INVALID unless the key would have a name, known roles, scopes that make sense, and time to live. */
export function assertGrants({ name, roles = [], scopes = [], expiresAt }: Asked, now: Date): void {
  refuse(name.length < 1 || name.length > 100, 'name', 'have 1 to 100 characters');
  refuse(
    roles.length + scopes.length === 0,
    'roles',
    `name at least one of ${ROLES.join(', ')}, with or without a scope`,
  );
  const named = [...roles, ...scopes.map(({ role }) => role)];
  refuse(
    named.some((role) => !ROLES.includes(role)),
    'roles',
    `be among ${ROLES.join(', ')}`,
  );
  const needsInstance = scopes.some(
    ({ instanceId, keyRingId, keyId }) => instanceId === undefined && (keyRingId ?? keyId) !== undefined,
  );
  refuse(needsInstance, 'scopes', 'name the instance of a key ring or key');
  refuse(expiresAt !== undefined && expiresAt <= now, 'expiresAt', 'lie in the future');
}

function refuse(bad: boolean, field: string, must: string): void {
  if (bad) throw new FieldError('FIELD_INVALID', `the field ${field} must ${must}`, { type: 'field', name: field });
}
