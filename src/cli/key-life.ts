import type { Command } from 'commander';
import { type CliContext, printResult, usage } from './context.js';
import { type MaterialOptions, materialOptions, readMaterial } from './key-material.js';
import { KeyProtect, type PlainAction } from './key-protect.js';
import type { Key } from './key-shapes.js';
import { type KeyRingOptions, keyLeaf, toKeyRing } from './options.js';
import { table } from './table.js';

/** The commands that only say OK: their action and what they do. */
const PLAIN: readonly (readonly [name: string, action: PlainAction, summary: string])[] = [
  ['disable', 'disable', 'Suspend a root key: nothing is wrapped or unwrapped with it until it is enabled again'],
  ['enable', 'enable', 'Make a disabled root key active again, 30 seconds later at the earliest'],
  [
    'schedule-delete',
    'setKeyForDeletion',
    'Be the first of the two who delete a key; a Manager has 7 days to be the second',
  ],
  ['cancel-delete', 'unsetKeyForDeletion', 'Take back the first authorization to delete a key'],
  ['sync', 'sync', 'Tell the resources that a key protects about its state again, once an hour at most'],
];

export function addKeyLife(key: Command, ctx: CliContext): void {
  for (const [name, action, summary] of PLAIN) {
    keyLeaf(key, name, summary, `kp key ${name} payments`).action((id: string, options: KeyRingOptions) =>
      act(ctx, id, action, options),
    );
  }

  materialOptions(
    keyLeaf(
      key,
      'rotate',
      'Give a root key new material; what older versions wrapped still unwraps',
      'kp key rotate payments',
      'kp key rotate imported -k raw:NewKey.bin',
    ),
  ).action((id: string, options: KeyRingOptions & MaterialOptions) => rotate(ctx, id, options));

  keyLeaf(key, 'delete', 'Delete a key; for 30 days it can be restored', 'kp key delete payments')
    .option('-f, --force', 'also when other resources are registered with it')
    .action((id: string, options: KeyRingOptions & { force?: boolean }) => remove(ctx, id, options));

  materialOptions(
    keyLeaf(
      key,
      'restore',
      'Bring a deleted key back; its material is not needed, but taken as older clients send it',
      'kp key restore payments',
    ),
  ).action((id: string, options: KeyRingOptions & MaterialOptions) => restore(ctx, id, options));

  keyLeaf(
    key,
    'purge',
    'Remove a deleted key for ever, 4 hours after it was deleted at the earliest; needs the role KeyPurge',
    'kp key purge 6e0aead3-9d44-4c92-a4c4-f7a1ab415420',
  )
    .option('--yes', 'do not ask to type its id')
    .action((id: string, options: KeyRingOptions & { yes?: boolean }) => purge(ctx, id, options));

  keyLeaf(key, 'update', 'Move a key to another key ring', 'kp key update payments -r backups')
    .requiredOption('-r, --new-key-ring <ring>', 'the key ring to move it to', toKeyRing)
    .action((id: string, options: KeyRingOptions & { newKeyRing: string }) => move(ctx, id, options));
}

async function act(ctx: CliContext, id: string, action: PlainAction, options: KeyRingOptions): Promise<void> {
  await (await KeyProtect.open(ctx, options)).act(id, action);
  printResult(ctx, { id }, () => 'OK');
}

async function rotate(ctx: CliContext, id: string, options: KeyRingOptions & MaterialOptions): Promise<void> {
  const material = await readMaterial(ctx, options, false);
  await (await KeyProtect.open(ctx, options)).act(id, 'rotate', given(material));
  printResult(ctx, { id }, () => 'OK');
}

async function remove(ctx: CliContext, id: string, options: KeyRingOptions & { force?: boolean }): Promise<void> {
  const deleted = await (await KeyProtect.open(ctx, options)).delete(id, options.force === true);
  printGone(ctx, 'Deleted Key', deleted?.id ?? id);
}

async function restore(ctx: CliContext, id: string, options: KeyRingOptions & MaterialOptions): Promise<void> {
  const material = await readMaterial(ctx, options, false);
  const key = await (await KeyProtect.open(ctx, options)).restore(id, given(material));
  printResult(ctx, key, () => `OK\n${table(['Key ID', 'Key Name'], [[key.id, key.name ?? '']])}`);
}

async function purge(ctx: CliContext, id: string, options: KeyRingOptions & { yes?: boolean }): Promise<void> {
  const api = await KeyProtect.open(ctx, options);
  if (!options.yes) await confirm(ctx, await api.metadata(id));
  const purged = await api.purge(id);
  printGone(ctx, 'Purged Key', purged?.id ?? id);
}

async function confirm(ctx: CliContext, { id, name }: Key): Promise<void> {
  if (!ctx.terminal) throw usage(`purging ${id} must be confirmed, and nobody can be asked: add --yes`);
  const question = `This removes key ${name ?? id} for ever; nothing that it wrapped can be unwrapped again.\nType its id, ${id}, to go on: `;
  if ((await ctx.terminal.ask(question)) !== id) throw usage('that is not its id; nothing was purged');
}

async function move(ctx: CliContext, id: string, options: KeyRingOptions & { newKeyRing: string }): Promise<void> {
  const key = await (await KeyProtect.open(ctx, options)).move(id, options.newKeyRing);
  const row = [key.id, key.name ?? '', key.keyRingID ?? options.newKeyRing];
  printResult(ctx, key, () => `OK\n${table(['Key ID', 'Key Name', 'Key Ring ID'], [row])}`);
}

function printGone(ctx: CliContext, title: string, id: string): void {
  printResult(ctx, { id }, () => `OK\n${table([title], [[id]])}`);
}

/** No body at all instead of one without members: a generated key must not seem to bring material. */
const given = (members: object) => (Object.keys(members).length === 0 ? undefined : members);
