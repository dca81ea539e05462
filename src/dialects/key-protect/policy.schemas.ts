import { z } from 'zod';
import type { InstancePolicyInput, InstancePolicyType } from '../../keys/instance-policy-rules.js';
import type { KeyPolicyInput } from '../../keys/set-key-policies.command.js';
import { KeysteadError } from '../../shared/errors.js';
import { WireError } from './refusals.js';
import { ALLOWED_IP_TYPE, Collection, DateText, Listed, POLICY_TYPE, Text } from './wire.js';

/** Members of a policy that clients send back and that are not theirs to set. */
const READ_ONLY = Object.fromEntries(
  ['id', 'crn', 'type', 'createdBy', 'creationDate', 'updatedBy', 'lastUpdateDate', 'lastUpdated'].map((name) => [
    name,
    z.unknown().optional(),
  ]),
);
const Interval = z.int().min(1, 'between 1 and 12').max(12, 'between 1 and 12');

export const KeyPolicyType = z.enum(['rotation', 'dualAuthDelete'], 'rotation or dualAuthDelete').optional();
const KeyPolicy = z.strictObject({
  ...READ_ONLY,
  rotation: z.strictObject({ enabled: z.boolean().optional(), interval_month: Interval.optional() }).optional(),
  dualAuthDelete: z.strictObject({ enabled: z.boolean() }).optional(),
});
export const KeyPoliciesBody = Collection(KeyPolicy, 2);

/** What the resources set. `only` is the policy that the query names. */
export function keyPoliciesOf(
  resources: readonly z.output<typeof KeyPolicy>[],
  only: keyof KeyPolicyInput | undefined,
): KeyPolicyInput {
  assertNumber(resources, only);
  const input: { -readonly [K in keyof KeyPolicyInput]: KeyPolicyInput[K] } = {};
  for (const { rotation, dualAuthDelete } of resources) {
    if (rotation === undefined && dualAuthDelete === undefined)
      throw new KeysteadError('BAD_REQUEST', 'a resource sets neither rotation nor dualAuthDelete');
    assertOnce(rotation && input.rotation, 'rotation');
    assertOnce(dualAuthDelete && input.dualAuthDelete, 'dualAuthDelete');
    if (rotation !== undefined)
      input.rotation = rotation && { enabled: rotation.enabled, intervalMonth: rotation.interval_month };
    if (dualAuthDelete !== undefined) input.dualAuthDelete = dualAuthDelete;
  }
  if (only !== undefined && Object.keys(input).some((type) => type !== only)) {
    throw new WireError('BODY_QUERY_PARAM_MISMATCH_ERR');
  }
  return input;
}

/** The attributes of each policy, by their names on the wire and in Keystead. */
const ATTRIBUTES = {
  dualAuthDelete: {},
  rotation: { interval_month: 'intervalMonth' },
  allowedNetwork: { allowed_network: 'allowedNetwork' },
  allowedIP: { allowed_ip: 'allowedIp' },
  keyCreateImportAccess: {
    create_root_key: 'createRootKey',
    create_standard_key: 'createStandardKey',
    import_root_key: 'importRootKey',
    import_standard_key: 'importStandardKey',
    enforce_token: 'enforceToken',
  },
  metrics: {},
} as const satisfies Record<InstancePolicyType, Record<string, string>>;
const TYPES = Object.keys(ATTRIBUTES) as InstancePolicyType[];

export const InstancePolicyTypeQuery = z.enum(TYPES, `one of ${TYPES.join(', ')}`).optional();
const Attributes = z.strictObject({
  interval_month: Interval.optional(),
  allowed_network: z.enum(['public-and-private', 'private-only'], 'public-and-private or private-only').optional(),
  allowed_ip: z.array(Text(2, 64)).max(1000, 'at most 1000 addresses').optional(),
  create_root_key: z.boolean().optional(),
  create_standard_key: z.boolean().optional(),
  import_root_key: z.boolean().optional(),
  import_standard_key: z.boolean().optional(),
  enforce_token: z.boolean().optional(),
});
const InstancePolicy = z.strictObject({
  ...READ_ONLY,
  policy_type: z.enum(TYPES, `one of ${TYPES.join(', ')}`),
  policy_data: z.strictObject({ enabled: z.boolean(), attributes: Attributes.optional() }),
});
export const InstancePoliciesBody = Collection(InstancePolicy, TYPES.length);

/** What the resources set. `only` is the policy that the query names. */
export function instancePoliciesOf(
  resources: readonly z.output<typeof InstancePolicy>[],
  only: InstancePolicyType | undefined,
): InstancePolicyInput[] {
  assertNumber(resources, only);
  const seen = new Set<string>();
  return resources.map(({ policy_type: type, policy_data: { enabled, attributes = {} } }) => {
    if (only !== undefined && type !== only) throw new WireError('BODY_QUERY_PARAM_MISMATCH_ERR');
    assertOnce(seen.has(type) ? type : undefined, type);
    seen.add(type);
    const names: Readonly<Record<string, string>> = ATTRIBUTES[type];
    const given = Object.entries(attributes).map(([name, value]) => {
      const known = names[name];
      if (known === undefined) throw new KeysteadError('BAD_REQUEST', `json: unknown field "${name}"`);
      return [known, value] as const;
    });
    return { type, enabled, attributes: Object.fromEntries(given) } as InstancePolicyInput;
  });
}

/** Attributes as the wire names them; undefined when the policy has none. */
export function attributesOf(type: InstancePolicyType, attributes: object): object | undefined {
  const named = Object.entries(ATTRIBUTES[type]).map(
    ([name, known]) => [name, Reflect.get(attributes, known)] as const,
  );
  const given = named.filter(([, value]) => value !== undefined && value !== null);
  return given.length === 0 ? undefined : Object.fromEntries(given);
}

function assertNumber(resources: readonly unknown[], only: string | undefined): void {
  if (only !== undefined && resources.length !== 1) throw new WireError('NUM_COLLECTION_RESOURCE_ERR');
  if (resources.length === 0) throw new KeysteadError('BAD_REQUEST', 'there is no resource');
}

function assertOnce(earlier: unknown, type: string): void {
  if (earlier === undefined) return;
  throw new KeysteadError('BAD_REQUEST', `only one policy of the type ${type} may be set per request`);
}

const WHO = { createdBy: z.string(), creationDate: DateText, updatedBy: z.string() };
export const KeyPolicyCollection = Listed(
  POLICY_TYPE,
  z.strictObject({
    id: z.uuid(),
    crn: z.string().startsWith('crn:v1:'),
    type: z.literal(POLICY_TYPE),
    rotation: z.strictObject({ enabled: z.boolean(), interval_month: Interval }).optional(),
    dualAuthDelete: z.strictObject({ enabled: z.boolean() }).optional(),
    ...WHO,
    lastUpdateDate: DateText,
  }),
);
export const InstancePolicyCollection = Listed(
  POLICY_TYPE,
  z.strictObject({
    policy_type: z.enum(TYPES),
    policy_data: z.strictObject({ enabled: z.boolean(), attributes: Attributes.optional() }),
    ...WHO,
    lastUpdated: DateText,
  }),
);
export const AllowedIpPorts = Listed(
  ALLOWED_IP_TYPE,
  z.strictObject({ private_endpoint_port: z.int().min(1).max(65_535) }),
);
