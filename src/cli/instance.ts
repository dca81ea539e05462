import type { Command } from 'commander';
import { KeysteadError } from '../shared/errors.js';
import { Api } from './api.js';
import type { Instance, Unit } from './api-shapes.js';
import { type CliContext, CommandFailure, notice, printResult, usage, withProgress } from './context.js';
import { type CommonOptions, group, leaf, type SignedOptions, signed } from './options.js';
import { printPlan } from './plan.js';
import { commandLine, shellWord } from './shell.js';
import { listing, table } from './table.js';
import { findInstance } from './target.js';
import { zeroizeUnits } from './zeroize.js';

const ACTIVE_PATIENCE_MS = 10 * 60_000;
const ACTIVE_POLL_MS = 500;

/** The commands of instances. Returns their group, for what more belongs in it. */
export function addInstance(program: Command, ctx: CliContext): Command {
  const instance = group(
    program,
    'instance',
    'Create, list, show and delete instances, and set their policies',
    'kp instance list',
  );

  leaf(
    instance,
    'create',
    'Create an instance and wait until it is active',
    'kp instance create payments --crypto-units 3',
    'export KP_INSTANCE_ID=$(kp instance create payments -o json | jq -r .id)',
  )
    .argument('<name>', 'name of the instance')
    .option('--crypto-units <number>', 'crypto units of the instance, 2 or 3, for its life', '2')
    .action((name: string, options: CommonOptions & { cryptoUnits: string }) => create(ctx, name, options.cryptoUnits));

  leaf(instance, 'list', 'List the instances', 'kp instance list').action(() => list(ctx));

  leaf(instance, 'show', 'Show one instance, its endpoint and its crypto units', 'kp instance show payments')
    .argument('<name-or-id>', 'name or id of the instance')
    .action(async (nameOrId: string) => show(ctx, await findInstance(await Api.open(ctx), nameOrId)));

  signed(
    leaf(
      instance,
      'delete',
      'Zeroize every claimed crypto unit of an instance, then delete the instance',
      `kp instance delete payments --auth '[{"ADMIN":"admin.key#env:ADMIN_PASS"}]'`,
    ),
  )
    .argument('<name-or-id>', 'name or id of the instance')
    .option('--force', 'also when it still holds keys: they are lost for ever')
    .option('--yes', 'do not ask to type the name')
    .action((nameOrId: string, options: DeleteOptions) => remove(ctx, nameOrId, options));
  return instance;
}

async function create(ctx: CliContext, name: string, units: string): Promise<void> {
  if (units !== '2' && units !== '3') throw usage(`an instance has 2 or 3 crypto units, not ${units}`);
  const api = await Api.open(ctx);
  const instance = await withProgress(ctx, `Creating ${name}`, createAndWait(ctx, api, name, Number(units)));
  printResult(ctx, instance, () =>
    [
      'OK',
      `Instance ${instance.name} is ${instance.state} with ${instance.crypto_units.length} crypto units.`,
      listing([
        ['GUID', instance.id],
        ['Endpoint', endpointOf(api, instance)],
      ]),
      '',
      `export KP_TARGET_ADDR=${shellWord(endpointOf(api, instance))}`,
      `export KP_INSTANCE_ID=${instance.id}`,
    ].join('\n'),
  );
}

async function createAndWait(ctx: CliContext, api: Api, name: string, units: number): Promise<Instance> {
  let instance = await api.createInstance(name, units);
  const deadline = Date.now() + ACTIVE_PATIENCE_MS;
  while (instance.state !== 'active') {
    if (Date.now() > deadline) {
      throw new CommandFailure(
        'INSTANCE_STATE',
        `${name} is still ${instance.state}`,
        `kp instance show ${instance.id}`,
      );
    }
    await ctx.wait(ACTIVE_POLL_MS);
    instance = await api.instance(instance.id);
  }
  return instance;
}

const endpointOf = (api: Api, instance: Instance) => instance.extensions?.endpoints?.public ?? api.target.origin;

async function list(ctx: CliContext): Promise<void> {
  const instances = await (await Api.open(ctx)).instances();
  printResult(ctx, instances, () =>
    table(
      ['Name', 'GUID', 'State', 'CryptoUnits'],
      instances.map(({ name, id, state, crypto_units }) => [name, id, state, String(crypto_units.length)]),
    ),
  );
}

async function show(ctx: CliContext, instance: Instance): Promise<void> {
  const api = await Api.open(ctx);
  printResult(ctx, instance, () =>
    [
      listing([
        ['Name', instance.name],
        ['GUID', instance.id],
        ['State', instance.state],
        ['Endpoint', endpointOf(api, instance)],
      ]),
      '',
      table(
        ['CryptoUnit', 'State'],
        instance.crypto_units.map(({ id, state }) => [id, state]),
      ),
    ].join('\n'),
  );
}

interface DeleteOptions extends SignedOptions {
  readonly force?: boolean;
  readonly yes?: boolean;
}

async function remove(ctx: CliContext, nameOrId: string, options: DeleteOptions): Promise<void> {
  const { auth, cu } = options;
  if (auth !== undefined && cu !== undefined) throw usage('--auth and --cu exclude each other; give one of them');
  if (options.signOnly !== undefined) {
    throw usage(
      'deleting an instance is more than one command: zeroize each unit with a command file, then delete the instance',
      commandLine(['kp', 'crypto-unit', 'zeroize', '--id', 'ID'], { '--sign-only': options.signOnly }),
    );
  }
  const found = await findInstance(await Api.open(ctx), nameOrId);
  const api = (await Api.open(ctx)).of(found.id);
  const claimed = (await api.units()).filter((unit) => unit.state !== 'reserved' && !isLost(unit));
  if (claimed.length > 0 && auth === undefined && cu === undefined && !options.plan) {
    throw usage(
      `${found.name} has ${claimed.length} claimed crypto units, and only their administrators can have them zeroized: give --auth or --cu`,
      `${commandLine(['kp', 'instance', 'delete', nameOrId], {})} --auth '[{"ADMIN":"FILE"}]'`,
    );
  }
  if (!options.yes && !options.plan) await confirm(ctx, found);
  const zeroized =
    claimed.length === 0
      ? []
      : await zeroizeUnits(ctx, {
          options: { ...options, instanceId: found.id },
          only: claimed.map(({ id }) => id),
          force: options.force === true,
          quiet: true,
        });
  if (options.plan) return planDeletion(ctx, found, claimed.length);
  await api.deleteInstance(found.id);
  const result = { id: found.id, name: found.name, deleted: true, zeroized };
  printResult(ctx, result, () =>
    [
      ...zeroized.flatMap((id) => [`Executing operation Zeroize against CryptoUnit with ID ${id}`, 'OK']),
      'OK',
      `Instance ${found.name} is deleted.`,
    ].join('\n'),
  );
  if (ctx.env['KP_INSTANCE_ID'] === found.id) notice(ctx, 'KP_INSTANCE_ID still names it: unset KP_INSTANCE_ID');
}

/** The end of the plan, after what zeroize said of each claimed unit. */
function planDeletion(ctx: CliContext, { name, id }: Instance, claimed: number): void {
  if (claimed === 0) printPlan(ctx, 'Delete Instance', []);
  notice(ctx, `The instance ${name} (${id}) is deleted after that, with all its keys.`);
}

const isLost = (unit: Unit) => unit.conditions?.some(({ reason }) => reason === 'TokenLost') ?? false;

async function confirm(ctx: CliContext, { name, id }: Instance): Promise<void> {
  if (!ctx.terminal) throw usage(`deleting ${name} must be confirmed, and nobody can be asked: add --yes`);
  const typed = await ctx.terminal.ask(
    `This deletes instance ${name} (${id}) and makes everything that its keys protect unreadable.\nType its name to go on: `,
  );
  if (typed !== name) throw new KeysteadError('USAGE', 'that is not its name; nothing was deleted');
}
