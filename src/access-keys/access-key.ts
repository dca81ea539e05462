import type { Grant } from '../access/scope.js';
import type { Role } from '../shared/permissions.js';

/** The dialects whose clients sign their requests. */
export const ACCESS_KEY_DIALECTS = ['alibaba', 'huawei'] as const;
export type AccessKeyDialect = (typeof ACCESS_KEY_DIALECTS)[number];

/** An access key as it is shown: never its secret. */
export interface AccessKeyView {
  readonly id: string;
  readonly dialect: AccessKeyDialect;
  readonly instanceId: string;
  readonly name: string;
  /** In the instance. None: only what grants let it do. */
  readonly roles: readonly Role[];
  /** Roles in a part of the instance. */
  readonly scopes: readonly Grant[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
}

export function accessKeyViewOf(key: AccessKeyView): AccessKeyView {
  const { id, dialect, instanceId, name, roles, scopes, createdAt, expiresAt, revokedAt } = key;
  return { id, dialect, instanceId, name, roles, scopes, createdAt, expiresAt, revokedAt };
}

/** The name of an instance in Huawei's words: its id without dashes, 32 hex digits. */
export function projectIdOf(instanceId: string): string {
  return instanceId.replaceAll('-', '');
}

/** The instance behind a project id; undefined for a text that is none. */
export function instanceOfProject(projectId: string): string | undefined {
  const parts = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/.exec(projectId);
  return parts?.slice(1).join('-');
}
