import type { Command } from 'commander';
import { type CliContext, printResult } from './context.js';
import { KeyProtect } from './key-protect.js';
import { type CommonOptions, group, leaf, toKeyRing } from './options.js';
import { table } from './table.js';

export function addKeyRings(program: Command, ctx: CliContext): void {
  leaf(program, 'key-rings', 'List the key rings of the instance', 'kp key-rings').action((options: CommonOptions) =>
    list(ctx, options),
  );

  const ring = group(program, 'key-ring', 'Create and delete key rings', 'kp key-ring create backups');
  leaf(ring, 'create', 'Create a key ring', 'kp key-ring create backups')
    .argument('<id>', 'what it is to be called: 2 to 100 letters, digits, hyphens and underscores', toKeyRing)
    .action((id: string, options: CommonOptions) => create(ctx, id, options));
  leaf(ring, 'delete', 'Delete an empty key ring', 'kp key-ring delete backups', 'kp key-ring delete backups --force')
    .argument('<id>', 'the key ring', toKeyRing)
    .option('-f, --force', 'also when deleted keys are left in it; they move to the ring default')
    .action((id: string, options: CommonOptions & { force?: boolean }) => remove(ctx, id, options));
}

async function list(ctx: CliContext, options: CommonOptions): Promise<void> {
  const rings = await (await KeyProtect.open(ctx, options)).keyRings();
  printResult(ctx, rings, () =>
    table(
      ['Key Ring ID', 'Creation Date', 'Created By'],
      rings.map(({ id, creationDate, createdBy }) => [id, creationDate ?? '', createdBy ?? '']),
    ),
  );
}

async function create(ctx: CliContext, id: string, options: CommonOptions): Promise<void> {
  await (await KeyProtect.open(ctx, options)).createKeyRing(id);
  printResult(ctx, { id }, () => 'OK');
}

async function remove(ctx: CliContext, id: string, options: CommonOptions & { force?: boolean }): Promise<void> {
  await (await KeyProtect.open(ctx, options)).deleteKeyRing(id, options.force === true);
  printResult(ctx, { id }, () => 'OK');
}
