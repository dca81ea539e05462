/** Who may ask for what. docs/permissions.md is printed from these tables; every command names one permission. */
export const ROLES = ['Reader', 'ReaderPlus', 'Writer', 'Manager', 'KeyPurge'] as const;
export type Role = (typeof ROLES)[number];

const ANYONE = ['Reader', 'ReaderPlus', 'Writer', 'Manager'] as const;
const WRITERS = ['Writer', 'Manager'] as const;
const MANAGER = ['Manager'] as const;

export const PERMISSIONS = {
  'instance.create': MANAGER,
  'instance.read': ANYONE,
  'instance.delete': MANAGER,
  'crypto-unit.read': ANYONE,
  'crypto-unit.claim': MANAGER,
  'crypto-unit.command': MANAGER, // relaying a signed command; the signature decides, on the token
  'crypto-unit.maintenance': MANAGER,
  'crypto-unit.replace': MANAGER,
  'key.read': ANYONE, // metadata, list, count, versions
  'key.payload': ['ReaderPlus', 'Writer', 'Manager'],
  'key.create': WRITERS,
  'key.use': ANYONE, // wrap, unwrap, rewrap
  'key.import': WRITERS, // key material from outside: parameters, import
  'key.update': WRITERS, // name, description, labels
  'key.rotate': WRITERS,
  'key.sync': WRITERS,
  'key.set-for-deletion': WRITERS,
  'key.manage': MANAGER, // enable, disable, delete, restore, move to another ring, delete key material
  'key.purge': ['KeyPurge'],
  'key-alias.write': WRITERS,
  'key-grant.read': MANAGER,
  'key-grant.write': MANAGER,
  'key-policy.read': MANAGER,
  'key-policy.write': MANAGER,
  'key-ring.read': ANYONE,
  'key-ring.create': WRITERS,
  'key-ring.delete': MANAGER,
  'import-token.create': WRITERS,
  'import-token.read': WRITERS,
  'instance-policy.read': MANAGER,
  'instance-policy.write': MANAGER,
  'registration.read': ANYONE,
  'api-key.manage': MANAGER,
  'access-key.manage': MANAGER,
  'metrics.read': ANYONE,
  'audit.read': MANAGER,
  'audit.checkpoint': MANAGER,
  'database.backup': MANAGER,
} as const satisfies Record<string, readonly Role[]>;
export type Permission = keyof typeof PERMISSIONS;

type Area = Permission extends `${infer Name}.${string}` ? Name : never;

/** What administers the service rather than keys: with KEYSTEAD_ADMIN_CLIENT_CA_FILE it needs a client certificate too. */
const ADMINISTRATIVE = {
  instance: true,
  'crypto-unit': true,
  'api-key': true,
  'access-key': true,
  audit: true,
  database: true,
  key: false,
  'key-alias': false,
  'key-grant': false,
  'key-policy': false,
  'key-ring': false,
  'import-token': false,
  'instance-policy': false,
  registration: false,
  metrics: false,
} as const satisfies Record<Area, boolean>;

export function isAdministrative(permission: Permission): boolean {
  return ADMINISTRATIVE[permission.split('.')[0] as Area];
}

/** Whether one of the roles grants the permission. */
export function grants(roles: readonly Role[], permission: Permission): boolean {
  const allowed: readonly Role[] = PERMISSIONS[permission];
  return roles.some((role) => allowed.includes(role));
}
