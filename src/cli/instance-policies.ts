import { type Command, Option } from 'commander';
import { type CliContext, printResult, usage } from './context.js';
import { KeyProtect } from './key-protect.js';
import type { InstancePolicy } from './key-shapes.js';
import {
  type CommonOptions,
  group,
  leaf,
  listOption,
  onOff,
  type SwitchOptions,
  toNumber,
  toYesNo,
} from './options.js';
import { listing } from './table.js';

/** The policies by the names that options and commands have for them. */
const POLICIES = {
  allowedIp: ['-p, --allowed-ip', 'allowedIP', 'from which addresses the instance may be used'],
  allowedNetwork: ['-a, --allowed-network', 'allowedNetwork', 'from which networks'],
  dualAuthDelete: ['-d, --dual-auth-delete', 'dualAuthDelete', 'whether two people must agree to delete a key'],
  keyCreateImportAccess: ['-k, --key-create-import-access', 'keyCreateImportAccess', 'which keys may be made'],
  metrics: ['-m, --metrics', 'metrics', 'whether metrics are given'],
  rotation: ['-r, --rotation', 'rotation', 'how often new root keys rotate'],
} as const;
type PolicyName = keyof typeof POLICIES;
type ListOptions = CommonOptions & { readonly [name in PolicyName]?: boolean };

type Updating = CommonOptions & SwitchOptions & Readonly<Record<string, unknown>>;
type AttributesOf = (options: Updating) => object | undefined;

/** The flags of key-create-import-access, with the attributes that they set. */
const ACCESS = {
  createRootKey: ['--create-root-key', 'create_root_key', 'root keys may be made'],
  createStandardKey: ['--create-standard-key', 'create_standard_key', 'standard keys may be made'],
  importRootKey: ['--import-root-key', 'import_root_key', 'root keys may be imported'],
  importStandardKey: ['--import-standard-key', 'import_standard_key', 'standard keys may be imported'],
  enforceToken: ['--enforce-token', 'enforce_token', 'root keys are imported by import tokens alone'],
} as const;

export function addInstancePolicies(instance: Command, ctx: CliContext): void {
  const policies = leaf(
    instance,
    'policies',
    'List the policies that were ever set for the instance',
    'kp instance policies',
    'kp instance policies --rotation -o json',
  );
  for (const [flags, , about] of Object.values(POLICIES)) policies.option(flags, `only ${about}`);
  policies.action((options: ListOptions) => list(ctx, options));

  const update = group(
    instance,
    'policy-update',
    'Set a policy of the instance',
    'kp instance policy-update rotation --enable -m 3',
  );
  const add = (name: string, policy: PolicyName, summary: string, example: string, attributes: AttributesOf) =>
    leaf(update, name, summary, `kp instance policy-update ${name} ${example}`)
      .option('-e, --enable', 'switch it on')
      .option('-d, --disable', 'switch it off')
      .action((options: Updating) => set(ctx, policy, options, attributes(options)));

  add('dual-auth-delete', 'dualAuthDelete', 'Let nobody delete alone the keys made from now on', '--enable', none);
  add('metrics', 'metrics', 'Give metrics of the use of the instance', '--enable', none);
  add('rotation', 'rotation', 'Rotate the root keys that are generated from now on', '--enable -m 3', rotation).option(
    '-m, --monthly-interval <months>',
    'every 1 to 12 months of 30 days',
    toNumber(1, 12),
  );
  add(
    'allowed-network',
    'allowedNetwork',
    'Serve public and private networks, or private ones alone',
    '--enable --network-type private-only',
    network,
  ).addOption(new Option('-t, --network-type <type>', 'which').choices(['public-and-private', 'private-only']));
  add(
    'allowed-ip',
    'allowedIp',
    'Serve these addresses alone',
    '--enable --ips 192.0.2.0/24,2001:db8::/32',
    addresses,
  ).addOption(listOption('--ips <list>', 'networks as ADDRESS/BITS, comma separated or repeated'));
  const access = add(
    'key-create-import-access',
    'keyCreateImportAccess',
    'Say which keys may be made and imported; what is not said is allowed, and no token enforced',
    '--enable --enforce-token true --import-standard-key false',
    accesses,
  );
  for (const [flag, , about] of Object.values(ACCESS)) access.option(`${flag} <true|false>`, about, toYesNo);
}

const none: AttributesOf = () => undefined;

const rotation: AttributesOf = ({ enable, monthlyInterval }) => {
  if (enable && monthlyInterval === undefined) throw usage('--enable needs -m MONTHS');
  return monthlyInterval === undefined ? undefined : { interval_month: monthlyInterval };
};

const network: AttributesOf = ({ enable, networkType }) => {
  if (enable && networkType === undefined) throw usage('--enable needs --network-type');
  return networkType === undefined ? undefined : { allowed_network: networkType };
};

const addresses: AttributesOf = ({ enable, ips }) => {
  if (enable && ips === undefined) throw usage('--enable needs --ips with one network at least');
  return ips === undefined ? undefined : { allowed_ip: ips };
};

const accesses: AttributesOf = (options) => {
  const given = Object.entries(ACCESS).flatMap(([name, [, attribute]]) =>
    options[name] === undefined ? [] : [[attribute, options[name]] as const],
  );
  return given.length === 0 ? undefined : Object.fromEntries(given);
};

async function set(
  ctx: CliContext,
  name: PolicyName,
  options: Updating,
  attributes: object | undefined,
): Promise<void> {
  const enabled = onOff(options);
  if (!enabled && attributes) throw usage('--disable takes nothing beside it');
  const policy = {
    policy_type: POLICIES[name][1],
    policy_data: { enabled, ...(attributes && { attributes }) },
  };
  await (await KeyProtect.open(ctx, options)).setInstancePolicy(policy);
  printResult(ctx, policy, () => 'OK');
}

async function list(ctx: CliContext, options: ListOptions): Promise<void> {
  const wanted = Object.entries(POLICIES).flatMap(([name, [, type]]) => (options[name as PolicyName] ? [type] : []));
  const only = wanted.length === 1 ? wanted[0] : undefined;
  const all = await (await KeyProtect.open(ctx, options)).instancePolicies(only);
  const types: readonly string[] = wanted;
  const policies = all.filter(({ policy_type: type }) => types.length === 0 || types.includes(type));
  printResult(ctx, policies, () => policies.map(describe).join('\n\n') || 'No such policy was ever set.');
}

/** "Network Allowed" is IBM's title for allowed_network; the others are told by their own names. */
const TITLES: Readonly<Record<string, string>> = {
  allowed_network: 'Network Allowed',
  allowed_ip: 'IPs Allowed',
  interval_month: 'Interval',
};

function describe({ policy_type: type, policy_data: { enabled, attributes }, ...policy }: InstancePolicy): string {
  return listing([
    ['Created By', policy.createdBy],
    ['Creation Date', policy.creationDate],
    ['Last Updated', policy.lastUpdated],
    ['Updated By', policy.updatedBy],
    ['Policy Type', type],
    ['Enabled', enabled],
    ...Object.entries(attributes ?? {}).map(([name, value]) => [TITLES[name] ?? name, String(value)] as const),
  ]);
}
