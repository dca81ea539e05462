import { type Command, Option } from 'commander';
import { type CliContext, printResult, usage } from './context.js';
import { type MaterialOptions, materialOptions, readMaterial } from './key-material.js';
import { KeyProtect } from './key-protect.js';
import {
  type KeyRingOptions,
  keyRingOption,
  leaf,
  listOption,
  splitList,
  toAlias,
  toMoment,
  toNumber,
} from './options.js';
import { table } from './table.js';

interface CreateOptions extends KeyRingOptions, MaterialOptions {
  readonly standardKey?: boolean;
  readonly alias?: readonly string[];
  readonly aliases?: readonly string[];
  readonly description?: string;
  readonly tags?: string;
  readonly expires?: string;
}
interface OverrideOptions extends CreateOptions {
  readonly dualAuthDeletePolicyEnabled?: boolean;
  readonly rotationPolicyEnabled?: boolean;
  readonly rotationIntervalMonth?: number;
}

export function addKeyCreate(key: Command, ctx: CliContext): void {
  createLeaf(
    key,
    'create',
    'Make a key in the crypto units, or import one',
    'kp key create payments-root -a payments --key-ring backups',
    'kp key create imported -k raw:PlainTextKey.bin',
    'kp key create imported -k "$ENCRYPTED_KEY" -n "$ENCRYPTED_NONCE" -v "$IV"',
    'kp key create credentials --standard-key -k raw:credentials.json',
  ).action((name: string, options: CreateOptions) => create(ctx, name, options, null));

  createLeaf(
    key,
    'create-key-with-policy-overrides',
    'Make or import a key whose policies are these, whatever the instance policies say',
    'kp key create-key-with-policy-overrides payments-root -m 3 -d',
  )
    .option('-d, --dual-auth-delete-policy-enabled', 'two people must agree to delete it')
    .option('-r, --rotation-policy-enabled', 'rotate it by itself; needs -m')
    .option('-m, --rotation-interval-month <months>', 'rotate it by itself, every 1 to 12 months', toNumber(1, 12))
    .action((name: string, options: OverrideOptions) => create(ctx, name, options, overridesOf(options)));
}

function createLeaf(parent: Command, name: string, summary: string, ...examples: string[]): Command {
  return materialOptions(
    leaf(parent, name, summary, ...examples)
      .argument('<name>', 'name of the key, 2 to 90 characters')
      .option(
        '-s, --standard-key',
        'a standard key, whose material can be read; else a root key, whose material cannot',
      ),
  )
    .addOption(listOption('-a, --alias <alias>', 'another name for the key; up to 5, repeated or with commas', toAlias))
    .addOption(listOption('--aliases <alias>', 'the same as --alias', toAlias).hideHelp())
    .option('-D, --description <text>', 'what the key is for, 2 to 240 characters')
    .option('--tags <list>', 'up to 30 words, comma separated')
    .addOption(new Option('--expires <date>', 'when it stops wrapping, as 2031-12-31T23:59:59Z').argParser(toMoment))
    .addOption(keyRingOption());
}

function overridesOf(options: OverrideOptions): object {
  const { dualAuthDeletePolicyEnabled, rotationPolicyEnabled, rotationIntervalMonth: months } = options;
  if (rotationPolicyEnabled && months === undefined) throw usage('--rotation-policy-enabled needs -m MONTHS');
  return {
    ...(months !== undefined && { rotation: { enabled: true, interval_month: months } }),
    ...(dualAuthDeletePolicyEnabled && { dualAuthDelete: { enabled: true } }),
  };
}

async function create(ctx: CliContext, name: string, options: CreateOptions, overrides: object | null): Promise<void> {
  if (name.trim() === '') throw usage('a key needs a name');
  const standard = options.standardKey === true;
  const aliases = [...(options.alias ?? []), ...(options.aliases ?? [])];
  const { description, tags, expires } = options;
  const resource = {
    name,
    extractable: standard,
    ...(description !== undefined && { description }),
    ...(tags !== undefined && { tags: splitList(tags) }),
    ...(aliases.length > 0 && { aliases }),
    ...(expires !== undefined && { expirationDate: expires }),
    ...(await readMaterial(ctx, options, standard)),
    ...overrides,
  };
  const made = await (await KeyProtect.open(ctx, options)).create(resource, overrides !== null);
  printResult(ctx, made, () => `OK\n${table(['Key ID', 'Key Name'], [[made.id, made.name ?? name]])}`);
}
