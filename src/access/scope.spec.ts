import { PERMISSIONS, type Permission, ROLES } from '../shared/permissions.js';
import { coverAll, coverKey, coverRing, type Grant, grantsFor, sightOf } from './scope.js';

const [I, OTHER] = ['instance-1', 'instance-2'];
const here = { keyId: 'k', keyRingId: 'r' };
const holder = (...scopes: Grant[]) => ({ roles: [], scopes });

describe.each(Object.keys(PERMISSIONS) as Permission[])('%s', (permission) => {
  it.each(ROLES)('and the role %s, without a scope and in one instance', (role) => {
    const allowed = (PERMISSIONS[permission] as readonly string[]).includes(role);
    expect(coverAll(grantsFor({ roles: [role], scopes: [] }, permission, I))).toBe(allowed);
    const scoped = holder({ role, instanceId: I });
    expect(coverAll(grantsFor(scoped, permission, I))).toBe(allowed);
    expect(grantsFor(scoped, permission, OTHER)).toEqual([]);
    expect(grantsFor(scoped, permission, undefined)).toEqual([]);
  });
});

describe('a grant', () => {
  const grants = (grant: Partial<Grant>) =>
    grantsFor(holder({ role: 'Writer', instanceId: I, ...grant }), 'key.use', I);
  it.each([
    ['for the instance', {}, true, true, true],
    ['for the ring', { keyRingId: 'r' }, false, true, true],
    ['for another ring', { keyRingId: 'x' }, false, false, false],
    ['for the key', { keyId: 'k' }, false, false, true],
    ['for the key in its ring', { keyId: 'k', keyRingId: 'r' }, false, false, true],
    ['for the key in another ring', { keyId: 'k', keyRingId: 'x' }, false, false, false],
    ['for another key', { keyId: 'x' }, false, false, false],
  ])('%s', (_what, grant, all, ring, key) => {
    expect([coverAll(grants(grant)), coverRing(grants(grant), 'r'), coverKey(grants(grant), here)]).toEqual([
      all,
      ring,
      key,
    ]);
  });
});

it('a list shows a scoped caller its rings and its keys', () => {
  expect(sightOf({ roles: ['Reader'], scopes: [] }, 'key.read', I)).toBe('all');
  const some = holder(
    { role: 'Reader', instanceId: I, keyRingId: 'r' },
    { role: 'Reader', instanceId: I, keyId: 'k' },
    { role: 'Reader', instanceId: OTHER },
    { role: 'KeyPurge', instanceId: I, keyRingId: 'p' },
  );
  expect(sightOf(some, 'key.read', I)).toEqual({ keyRingIds: ['r'], keyIds: ['k'] });
});
