import { PERMISSIONS, type Permission, type Role } from '../shared/permissions.js';

/** What a request is about. `key` is a key's id or alias. Absent members: none in particular. */
export interface Scope {
  readonly instanceId?: string | undefined;
  readonly keyRingId?: string | undefined;
  readonly key?: string | undefined;
}

/** A role that holds only in part of the world: one instance, one key ring of it, one key. */
export interface Grant {
  readonly role: Role;
  readonly instanceId?: string | undefined;
  readonly keyRingId?: string | undefined;
  readonly keyId?: string | undefined;
}

/** Where a key stands, as the keys folder knows it. */
export interface KeyPlace {
  readonly keyId: string;
  readonly keyRingId: string;
}

/** What of an instance a caller may see: 'all', or some rings and keys of it. */
export type Sight = 'all' | { readonly keyRingIds: readonly string[]; readonly keyIds: readonly string[] };

interface Holder {
  readonly roles: readonly Role[];
  readonly scopes: readonly Grant[];
}

/** The grants that carry the permission in the instance; a role without a scope is a grant without limits. */
export function grantsFor(holder: Holder, permission: Permission, instanceId: string | undefined): Grant[] {
  const allowed: readonly Role[] = PERMISSIONS[permission];
  const unlimited: Grant[] = holder.roles.map((role) => ({ role }));
  return [...unlimited, ...holder.scopes].filter(
    (grant) => allowed.includes(grant.role) && (grant.instanceId === undefined || grant.instanceId === instanceId),
  );
}

/** Whether one of the grants covers the instance as a whole. */
export function coverAll(grants: readonly Grant[]): boolean {
  return grants.some(({ keyRingId, keyId }) => keyRingId === undefined && keyId === undefined);
}

/** Whether one of the grants covers the ring as a whole: making a key in it, for one. */
export function coverRing(grants: readonly Grant[], ring: string): boolean {
  return grants.some(({ keyRingId, keyId }) => keyId === undefined && (keyRingId ?? ring) === ring);
}

/** Whether one of the grants covers the key that stands there. */
export function coverKey(grants: readonly Grant[], place: KeyPlace): boolean {
  return grants.some(
    ({ keyRingId, keyId }) =>
      (keyRingId ?? place.keyRingId) === place.keyRingId && (keyId ?? place.keyId) === place.keyId,
  );
}

/** What lists show to the holder. A grant for one key of one ring shows that key, in whichever ring it is. */
export function sightOf(holder: Holder, permission: Permission, instanceId: string): Sight {
  const grants = grantsFor(holder, permission, instanceId);
  if (coverAll(grants)) return 'all';
  return {
    keyRingIds: grants.flatMap(({ keyRingId, keyId }) =>
      keyRingId !== undefined && keyId === undefined ? [keyRingId] : [],
    ),
    keyIds: grants.flatMap(({ keyId }) => (keyId !== undefined ? [keyId] : [])),
  };
}
