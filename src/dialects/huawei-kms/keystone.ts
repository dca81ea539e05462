import { projectIdOf } from '../../access-keys/access-key.js';
import type { Identity } from './identification.js';
import type { IssuedToken } from './keystone-tokens.js';
import { domainIdOf, REGION, userIdOf } from './project.js';

/** Of the vendor; clients show it. There are no other domains, so the name that a client logs in to does not matter. */
const DOMAIN_NAME = 'OTC';

export interface Domain {
  readonly id: string;
  readonly name: string;
}

export interface Project extends Domain {
  readonly domain_id: string;
  readonly domain: Domain;
  readonly enabled: true;
}

export function domainOf(instanceId: string): Domain {
  return { id: domainIdOf(instanceId), name: DOMAIN_NAME };
}

export function projectOf(instanceId: string, name: string = REGION): Project {
  const domain = domainOf(instanceId);
  return { id: projectIdOf(instanceId), name, domain_id: domain.id, domain, enabled: true };
}

export function versionOf(url: string) {
  return {
    id: 'v3.6',
    status: 'stable',
    updated: '2016-04-04T00:00:00Z',
    links: [{ rel: 'self', href: `${url}/v3/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
  };
}

/** Go clients look for `kmsv1` and have the project in its URL; Python clients look for `kms` and add it. */
export function catalogOf(instanceId: string, url: string) {
  const entry = (type: string, name: string, endpoint: string) => ({
    id: type,
    type,
    name,
    endpoints: [{ id: `${type}-public`, interface: 'public', region: REGION, region_id: REGION, url: endpoint }],
  });
  return [
    entry('kmsv1', 'kmsv1', `${url}/v1.0/${projectIdOf(instanceId)}`),
    entry('kms', 'kms', `${url}/v1.0`),
    entry('identity', 'keystone', `${url}/v3`),
  ];
}

/** The body that comes with a token. */
export function tokenOf(
  { accessKeyId, caller, instanceId }: Identity,
  { issuedAt, expiresAt }: IssuedToken,
  scope: { readonly project: Project } | { readonly domain: Domain },
  url: string,
) {
  const roles = [...caller.roles, ...caller.scopes.map(({ role }) => role)];
  return {
    methods: ['password'],
    issued_at: dateText(issuedAt),
    expires_at: dateText(expiresAt),
    user: { id: userIdOf(accessKeyId), name: accessKeyId, domain: domainOf(instanceId), password_expires_at: '' },
    ...scope,
    roles: [...new Set(roles)].map((name) => ({ id: name, name })),
    catalog: catalogOf(instanceId, url),
  };
}

/** Keystone has six digits for the parts of a second. */
function dateText(date: Date): string {
  return date.toISOString().replace('Z', '000Z');
}
