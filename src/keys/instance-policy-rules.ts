import { isIP } from 'node:net';
import { KeysteadError } from '../shared/errors.js';
import { fieldRefused } from './key-rules.js';
import type { Material } from './material.js';
import type { NewKeyPolicies } from './new-key.js';

/** The policies an instance can have, and their attributes. */
export interface InstancePolicyAttributes {
  readonly dualAuthDelete: Record<string, never>;
  readonly rotation: { readonly intervalMonth?: number | undefined };
  readonly allowedNetwork: { readonly allowedNetwork?: 'public-and-private' | 'private-only' | undefined };
  readonly allowedIP: { readonly allowedIp?: readonly string[] | undefined };
  readonly keyCreateImportAccess: {
    readonly createRootKey?: boolean | undefined;
    readonly createStandardKey?: boolean | undefined;
    readonly importRootKey?: boolean | undefined;
    readonly importStandardKey?: boolean | undefined;
    readonly enforceToken?: boolean | undefined;
  };
  readonly metrics: Record<string, never>;
}
export type InstancePolicyType = keyof InstancePolicyAttributes;

export const INSTANCE_POLICY_TYPES = [
  'dualAuthDelete',
  'rotation',
  'allowedNetwork',
  'allowedIP',
  'keyCreateImportAccess',
  'metrics',
] as const satisfies readonly InstancePolicyType[];

/** What a client sets; a type at most once in a request. */
export type InstancePolicyInput = {
  [T in InstancePolicyType]: {
    readonly type: T;
    readonly enabled: boolean;
    readonly attributes?: InstancePolicyAttributes[T] | undefined;
  };
}[InstancePolicyType];

/** As stored: attributes complete, {} when the policy has none. */
export type InstancePolicyView = {
  [T in InstancePolicyType]: {
    readonly type: T;
    readonly enabled: boolean;
    readonly attributes: InstancePolicyAttributes[T];
    readonly createdBy: string;
    readonly createdAt: Date;
    readonly updatedBy: string;
    readonly updatedAt: Date;
  };
}[InstancePolicyType];

/** The policies of an instance that are enabled, by type. */
export type Enabled = { readonly [T in InstancePolicyType]?: InstancePolicyAttributes[T] };

const ACCESS_DEFAULTS = {
  createRootKey: true,
  createStandardKey: true,
  importRootKey: true,
  importStandardKey: true,
  enforceToken: false,
};

/** The attributes to store for an input: complete, or {} where the type keeps none. FIELD_INVALID. */
export function storedAttributes(input: InstancePolicyInput, before: object | undefined): object {
  switch (input.type) {
    case 'rotation': {
      if (!input.enabled) return {};
      const { intervalMonth } = input.attributes ?? {};
      assertInterval(intervalMonth);
      return { intervalMonth };
    }
    case 'allowedNetwork': {
      const { allowedNetwork } = input.attributes ?? {};
      if (input.enabled && allowedNetwork === undefined) {
        throw fieldRefused('allowed_network', 'public-and-private or private-only');
      }
      return allowedNetwork === undefined ? (before ?? {}) : { allowedNetwork };
    }
    case 'allowedIP': {
      const { allowedIp = [] } = input.attributes ?? {};
      if (!input.enabled) return {};
      if (allowedIp.length === 0 || !allowedIp.every(isSubnet)) {
        throw fieldRefused('allowed_ip', 'a list of at least one IPv4 or IPv6 subnet in CIDR notation');
      }
      return { allowedIp };
    }
    case 'keyCreateImportAccess':
      return input.enabled ? { ...ACCESS_DEFAULTS, ...defined(input.attributes ?? {}) } : {};
    case 'dualAuthDelete':
    case 'metrics':
      return {};
  }
}

type CreateInput = Material & { readonly extractable: boolean; readonly external?: object | undefined };

/** The material is, or will be, the client's. */
function brings({ material, secure, external }: CreateInput): boolean {
  return material !== undefined || secure !== undefined || external !== undefined;
}

/** Throws POLICY_FORBIDS unless the policies let a key be made or imported so. */
export function assertCreate(enabled: Enabled, input: CreateInput): void {
  const access = enabled.keyCreateImportAccess;
  if (access === undefined) return;
  const rules = { ...ACCESS_DEFAULTS, ...defined(access) };
  const imports = brings(input);
  if (imports) assertToken(enabled, input);
  if (imports && input.extractable && rules.enforceToken) throw forbidden(); // a token imports root keys only
  const flag = imports
    ? input.extractable
      ? rules.importStandardKey
      : rules.importRootKey
    : input.extractable
      ? rules.createStandardKey
      : rules.createRootKey;
  if (!flag) throw forbidden();
}

/** Throws POLICY_FORBIDS for material in clear where only material for the import token may come. */
export function assertToken(enabled: Enabled, { material, secure }: Material): void {
  const enforced = enabled.keyCreateImportAccess?.enforceToken ?? false;
  if (enforced && material !== undefined && secure === undefined) throw forbidden();
}

/** The policies a new key gets: its own when it has overrides, else the instance's; rotation for generated root keys only. */
export function policiesForNewKey(
  enabled: Enabled,
  input: CreateInput & {
    readonly overrides?:
      | {
          readonly rotation?: { readonly enabled?: boolean | undefined; readonly intervalMonth: number } | undefined;
          readonly dualAuthDelete?: { readonly enabled: boolean } | undefined;
        }
      | undefined;
  },
): NewKeyPolicies {
  const rotatable = !input.extractable && !brings(input);
  const { overrides } = input;
  if (overrides !== undefined) {
    const { rotation, dualAuthDelete } = overrides;
    if (rotation !== undefined) {
      if (!rotatable) throw fieldRefused('rotation', 'absent: only generated root keys rotate by policy');
      assertInterval(rotation.intervalMonth);
    }
    return {
      rotation: rotation ? { enabled: rotation.enabled ?? true, intervalMonth: rotation.intervalMonth } : null,
      dualAuthDelete: dualAuthDelete ?? null,
    };
  }
  const { intervalMonth } = enabled.rotation ?? {};
  return {
    rotation: rotatable && intervalMonth !== undefined ? { enabled: true, intervalMonth } : null,
    dualAuthDelete: enabled.dualAuthDelete ? { enabled: true } : null,
  };
}

/** Throws FIELD_INVALID unless the interval is 1 to 12 months. */
export function assertInterval(intervalMonth: number | undefined): asserts intervalMonth is number {
  const good =
    intervalMonth !== undefined && Number.isInteger(intervalMonth) && intervalMonth >= 1 && intervalMonth <= 12;
  if (!good) throw fieldRefused('interval_month', 'a whole number from 1 to 12');
}

function isSubnet(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  if (bits === undefined) return true;
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
}

function defined<T extends object>(attributes: T): Partial<T> {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function forbidden(): KeysteadError {
  return new KeysteadError('POLICY_FORBIDS', 'KeyCreateImportAccess instance policy does not allow this action');
}
