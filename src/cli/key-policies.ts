import type { Command } from 'commander';
import { type CliContext, printResult, usage } from './context.js';
import { KeyProtect } from './key-protect.js';
import type { KeyPolicy } from './key-shapes.js';
import { group, type KeyRingOptions, keyLeaf, onOff, type SwitchOptions, toNumber } from './options.js';
import { listing } from './table.js';

interface ListOptions extends KeyRingOptions {
  readonly dualAuth?: boolean;
  readonly rotation?: boolean;
}
interface RotationOptions extends KeyRingOptions, SwitchOptions {
  readonly monthlyInterval?: number;
}

export function addKeyPolicies(key: Command, ctx: CliContext): void {
  keyLeaf(
    key,
    'policies',
    'List the policies of a key',
    'kp key policies payments',
    'kp key policies payments -r -o json',
  )
    .option('-d, --dual-auth', 'only whether two people must agree to delete it')
    .option('-r, --rotation', 'only how often it rotates')
    .action((id: string, options: ListOptions) => list(ctx, id, options));

  const update = group(
    key,
    'policy-update',
    'Set a policy of a key',
    'kp key policy-update rotation payments --enable -m 3',
  );
  keyLeaf(
    update,
    'rotation',
    'Set how often a root key rotates; not for imported keys',
    'kp key policy-update rotation payments --enable -m 3',
    'kp key policy-update rotation payments --disable',
  )
    .option('-e, --enable', 'rotate it by itself')
    .option('-d, --disable', 'do not; the interval is kept')
    .option('-m, --monthly-interval <months>', 'every 1 to 12 months of 30 days', toNumber(1, 12))
    .action((id: string, options: RotationOptions) => setRotation(ctx, id, options));
  keyLeaf(
    update,
    'dual-auth-delete',
    'Let nobody delete a key alone; this cannot be undone',
    'kp key policy-update dual-auth-delete payments --enable',
  )
    .option('-e, --enable', 'two people must agree to delete it')
    .action((id: string, options: KeyRingOptions & SwitchOptions) => setDualAuth(ctx, id, options));
}

async function list(ctx: CliContext, id: string, options: ListOptions): Promise<void> {
  const { dualAuth, rotation } = options;
  const only = dualAuth === rotation ? undefined : rotation ? 'rotation' : 'dualAuthDelete';
  print(ctx, await (await KeyProtect.open(ctx, options)).policies(id, only));
}

async function setRotation(ctx: CliContext, id: string, options: RotationOptions): Promise<void> {
  const { monthlyInterval: months, enable, disable } = options;
  if (!enable && !disable && months === undefined) throw usage('say what to set: --enable, --disable or -m MONTHS');
  const enabled = enable || disable ? { enabled: onOff(options) } : {};
  const value = { ...enabled, ...(months !== undefined && { interval_month: months }) };
  print(ctx, await (await KeyProtect.open(ctx, options)).setPolicy(id, 'rotation', value));
}

async function setDualAuth(ctx: CliContext, id: string, options: KeyRingOptions & SwitchOptions): Promise<void> {
  if (!options.enable) throw usage('--enable is missing; once enabled, a key keeps this policy');
  print(ctx, await (await KeyProtect.open(ctx, options)).setPolicy(id, 'dualAuthDelete', { enabled: true }));
}

function print(ctx: CliContext, policies: readonly KeyPolicy[]): void {
  printResult(ctx, policies, () => policies.map(describe).join('\n\n') || 'The key has no policy.');
}

function describe({ rotation, dualAuthDelete, ...policy }: KeyPolicy): string {
  return listing([
    ['Created By', policy.createdBy],
    ['Creation Date', policy.creationDate],
    ['Last Updated', policy.lastUpdateDate],
    ['Updated By', policy.updatedBy],
    ['Policy Type', rotation ? 'Rotation' : 'Dual Auth Delete'],
    ...(rotation ? ([['Interval', rotation.interval_month]] as const) : []),
    ['Enabled', rotation ? rotation.enabled : dualAuthDelete?.enabled],
  ]);
}
