import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { type DynamicModule, RequestMethod, type Type } from '@nestjs/common';
import { pino } from 'pino';
import { appModule } from '../src/app.module.js';
import { loadConfig } from '../src/config/config.js';
import type { Permission } from '../src/shared/permissions.js';
import type { Admins } from './admin.js';
import { until } from './until.js';

/** What the requests of a test name. */
export interface Names {
  readonly instance: string;
  readonly instanceName: string;
  readonly unit: string;
  readonly operation: string;
  readonly key: string;
}

/** One route: what it needs, and a request that leaves the units as they are, with what a caller who may gets for it. */
export interface Route {
  /** Null: anybody, without a key. */
  readonly permission: Permission | null;
  /** How the audit log calls it, when not by its permission. */
  readonly act?: string;
  readonly path: (names: Names) => string;
  readonly body?: (names: Names) => object;
  readonly headers?: (names: Names) => Record<string, string>;
  readonly status: number;
  /** The code of the refusal, when the request is one that is refused further on. */
  readonly code?: string;
}

const KEY_TYPE = 'application/vnd.ibm.kms.key+json';
const inInstance = ({ instance }: Names) => ({ 'instance-id': instance });
const unitPath =
  (rest = '') =>
  ({ unit }: Names) =>
    `/api/v1/cryptounits/${unit}${rest}`;
const anybody = (path: string): Route => ({ permission: null, path: () => path, status: 200 });

/** Every route of our own control plane. The matrix fails when the server registers one that has no row here. */
export const ROUTES: Readonly<Record<string, Route>> = {
  'GET /livez': anybody('/livez'),
  'GET /startupz': anybody('/startupz'),
  'GET /readyz': anybody('/readyz'),
  'GET /health': anybody('/health'),
  'GET /health/state': anybody('/health/state'),
  'GET /health/units/:id': { permission: null, path: ({ unit }) => `/health/units/${unit}`, status: 200 },
  'POST /api/v1/instances': {
    permission: 'instance.create',
    path: () => '/api/v1/instances',
    body: ({ instanceName }) => ({ name: instanceName, crypto_units: 2 }),
    status: 409,
    code: 'INSTANCE_STATE',
  },
  'GET /api/v1/instances': { permission: 'instance.read', path: () => '/api/v1/instances', status: 200 },
  'GET /api/v1/instances/:id': {
    permission: 'instance.read',
    path: ({ instance }) => `/api/v1/instances/${instance}`,
    status: 200,
  },
  'DELETE /api/v1/instances/:id': {
    permission: 'instance.delete',
    path: ({ instance }) => `/api/v1/instances/${instance}`,
    status: 409,
    code: 'INSTANCE_STATE',
  },
  'GET /api/v1/cryptounits': {
    permission: 'crypto-unit.read',
    path: () => '/api/v1/cryptounits',
    headers: inInstance,
    status: 200,
  },
  'GET /api/v1/cryptouser/metadata': {
    permission: 'crypto-unit.read',
    path: () => '/api/v1/cryptouser/metadata',
    headers: inInstance,
    status: 200,
  },
  'GET /api/v1/cryptounits/:id': { permission: 'crypto-unit.read', path: unitPath(), status: 200 },
  'GET /api/v1/cryptounits/:id/facts': {
    permission: 'crypto-unit.read',
    path: unitPath(`/facts?nonce=${'n'.repeat(32)}`),
    status: 200,
  },
  'POST /api/v1/cryptounits/:id/claim': {
    permission: 'crypto-unit.claim',
    path: unitPath('/claim'),
    body: () => ({ plan: randomUUID(), certificate: 'no certificate' }),
    status: 400,
    code: 'BAD_REQUEST',
  },
  'POST /api/v1/cryptounits/claim': {
    permission: 'crypto-unit.claim',
    path: () => '/api/v1/cryptounits/claim',
    headers: ({ unit }) => ({ 'crypto-unit-id': unit }),
    body: () => ({ certificate: 'no certificate' }),
    status: 400,
    code: 'BAD_REQUEST',
  },
  'POST /api/v1/crypto_units/:id/zeroize': {
    permission: 'crypto-unit.read',
    path: ({ unit }) => `/api/v1/crypto_units/${unit}/zeroize`,
    status: 403,
    code: 'COMMAND_UNSIGNED',
  },
  'PUT /api/v1/cryptounits/:id/maintenance': {
    permission: 'crypto-unit.maintenance',
    path: unitPath('/maintenance'),
    body: () => ({ on: false }),
    status: 200,
  },
  'POST /api/v1/cryptounits/:id/replace': {
    permission: 'crypto-unit.replace',
    path: unitPath('/replace'),
    status: 409,
    code: 'UNIT_STATE',
  },
  'POST /api/v1/operations': {
    permission: 'crypto-unit.command',
    path: () => '/api/v1/operations',
    body: () => ({ documents: ['no document'] }),
    status: 400,
    code: 'COMMAND_MALFORMED',
  },
  'GET /api/v1/operations/:id': {
    permission: 'crypto-unit.read',
    path: ({ operation }) => `/api/v1/operations/${operation}`,
    status: 200,
  },
  'GET /metrics': { permission: 'metrics.read', path: () => '/metrics', status: 200 },
  'GET /api/v1/audit': { permission: 'audit.read', path: () => '/api/v1/audit?limit=1', status: 200 },
  'GET /api/v1/audit/lines': {
    permission: 'audit.read',
    path: () => '/api/v1/audit/lines?after=0&limit=1',
    status: 200,
  },
  'GET /api/v1/audit/head': { permission: 'audit.read', path: () => '/api/v1/audit/head', status: 200 },
  'GET /api/v1/audit/checkpoints': { permission: 'audit.read', path: () => '/api/v1/audit/checkpoints', status: 200 },
  'POST /api/v1/audit/checkpoints': {
    permission: 'audit.checkpoint',
    path: () => '/api/v1/audit/checkpoints',
    status: 200,
  },
  'POST /api/v1/backups': { permission: 'database.backup', path: () => '/api/v1/backups', status: 200 },
  'POST /api/v1/api-keys': {
    permission: 'api-key.manage',
    act: 'api-key.create',
    path: () => '/api/v1/api-keys',
    body: () => ({ name: 'from the matrix', roles: ['Reader'] }),
    status: 201,
  },
  'GET /api/v1/api-keys': {
    permission: 'api-key.manage',
    act: 'api-key.list',
    path: () => '/api/v1/api-keys',
    status: 200,
  },
  'DELETE /api/v1/api-keys/:id': {
    permission: 'api-key.manage',
    act: 'api-key.revoke',
    path: () => `/api/v1/api-keys/${randomUUID()}`,
    status: 404,
    code: 'NOT_FOUND',
  },
  'POST /api/v1/access-keys': {
    permission: 'access-key.manage',
    act: 'access-key.create',
    path: () => '/api/v1/access-keys',
    body: ({ instance }) => ({ dialect: 'alibaba', instanceId: instance, name: 'from the matrix' }),
    status: 201,
  },
  'GET /api/v1/access-keys': {
    permission: 'access-key.manage',
    act: 'access-key.list',
    path: () => '/api/v1/access-keys',
    status: 200,
  },
  'DELETE /api/v1/access-keys/:id': {
    permission: 'access-key.manage',
    act: 'access-key.revoke',
    path: () => '/api/v1/access-keys/LTAInone',
    status: 404,
    code: 'ACCESS_KEY_NOT_FOUND',
  },
};

/** Wire formats of others are tables of their own (src/dialects), and so are their tests (test/key-protect). */
const DIALECT = /^[A-Z]+ \/(api\/v2|identity|oidc|docs|governance|crypto_v2|alibaba-kms|v1\.0|v3|$)(\/|$)/;

/** Asks to create a root key, in IBM's words. */
export const NEW_KEY: Route = {
  permission: 'key.create',
  path: () => '/api/v2/keys',
  headers: inInstance,
  body: () => ({
    metadata: { collectionType: KEY_TYPE, collectionTotal: 1 },
    resources: [{ type: KEY_TYPE, name: 'from the matrix', extractable: false }],
  }),
  status: 201,
};

/** Asks to wrap a data key, in IBM's words. */
export const WRAP: Route = {
  permission: 'key.use',
  path: ({ key }) => `/api/v2/keys/${key}/actions/wrap`,
  headers: inInstance,
  body: () => ({ plaintext: Buffer.alloc(32).toString('base64') }),
  status: 200,
};

/** Makes the units serve, and answers what requests can name then: an operation that was done, and a key. */
export async function servedNames(admins: Admins, units: readonly string[]): Promise<Names> {
  const { world } = admins;
  const [unit = ''] = units;
  await admins.initialise(units);
  const names = { instance: world.instance, instanceName: 'TEST', unit, operation: '', key: '' };
  const { path, body, headers } = NEW_KEY;
  let key = '';
  await until(async () => {
    const made = await world.api('POST', path(names), body?.(names), headers?.(names));
    key = made.status === 201 ? made.body.resources[0].id : '';
    return key !== '';
  }, 10_000);
  const random = await admins.send(await admins.document('mk.random', { bytes: 32 }, units));
  return { ...names, operation: random.body.id, key };
}

/** GET for ALL. */
export function methodOf(route: string): string {
  const [method = ''] = route.split(' ');
  return method === 'ALL' ? 'GET' : method;
}

/** What the server registers outside the dialects, as its modules and controllers say it: 'GET /livez'. */
export function registeredRoutes(): string[] {
  const config = loadConfig({ KEYSTEAD_DATA_DIR: '/nonexistent' });
  const root = appModule(config, { url: 'postgres://nowhere' }, pino({ level: 'silent' }));
  const all = [...controllersOf(root, new Set())].flatMap(routesOf);
  return all.filter((route) => !DIALECT.test(route)).sort();
}

function controllersOf(module: Type | DynamicModule, seen: Set<unknown>): Set<Type> {
  const type = 'module' in module ? module.module : module;
  const dynamic: Partial<DynamicModule> = 'module' in module ? module : {};
  const found = new Set<Type>([...(dynamic.controllers ?? []), ...(Reflect.getMetadata('controllers', type) ?? [])]);
  if (seen.has(module)) return found;
  seen.add(module);
  const imports = [...(dynamic.imports ?? []), ...(Reflect.getMetadata('imports', type) ?? [])];
  for (const imported of imports) for (const one of controllersOf(imported, seen)) found.add(one);
  return found;
}

function routesOf(controller: Type): string[] {
  const prefixes = pathsIn(controller);
  return Object.getOwnPropertyNames(controller.prototype).flatMap((name) => {
    const handler: unknown = Object.getOwnPropertyDescriptor(controller.prototype, name)?.value;
    const method: unknown = typeof handler === 'function' ? Reflect.getMetadata('method', handler) : undefined;
    if (typeof method !== 'number') return [];
    const paths = pathsIn(handler as object);
    return prefixes.flatMap((prefix) =>
      paths.map((path) => `${RequestMethod[method]} /${[prefix, path].filter((part) => part !== '').join('/')}`),
    );
  });
}

/** Without slashes at their ends. */
function pathsIn(declared: object): string[] {
  return [Reflect.getMetadata('path', declared)].flat().map((path) => String(path).replaceAll(/^\/+|\/+$/g, ''));
}
