import { Argument, type Command, Option } from 'commander';
import { type CliContext, printResult, usage } from './context.js';
import { KeyProtect } from './key-protect.js';
import { type KeyRingOptions, keyLeaf, toAlias } from './options.js';
import { table } from './table.js';

interface AliasOptions extends KeyRingOptions {
  readonly alias?: string;
}

export function addKeyAliases(key: Command, ctx: CliContext): void {
  aliasLeaf(key, 'alias-create', 'Give a key another name, which every command takes in place of its id').action(
    (id: string, word: string | undefined, options: AliasOptions) => create(ctx, id, aliasOf(word, options), options),
  );
  aliasLeaf(key, 'alias-delete', 'Take an alias away from a key').action(
    (id: string, word: string | undefined, options: AliasOptions) => remove(ctx, id, aliasOf(word, options), options),
  );
}

function aliasLeaf(key: Command, name: string, summary: string): Command {
  return keyLeaf(key, name, summary, `kp key ${name} 6e0aead3-9d44-4c92-a4c4-f7a1ab415420 -a payments`)
    .addArgument(new Argument('[alias]', 'the alias').argParser(toAlias))
    .addOption(new Option('-a, --alias <alias>', 'the same').argParser(toAlias));
}

function aliasOf(word: string | undefined, { alias }: AliasOptions): string {
  const given = word ?? alias;
  if (given === undefined || (word !== undefined && alias !== undefined)) throw usage('give the alias, once');
  return given;
}

async function create(ctx: CliContext, id: string, alias: string, options: KeyRingOptions): Promise<void> {
  const made = await (await KeyProtect.open(ctx, options)).createAlias(id, alias);
  printResult(ctx, made, () => `OK\n${table(['Key ID', 'Key Alias'], [[made.keyId, made.alias]])}`);
}

async function remove(ctx: CliContext, id: string, alias: string, options: KeyRingOptions): Promise<void> {
  await (await KeyProtect.open(ctx, options)).deleteAlias(id, alias);
  printResult(ctx, { id, alias }, () => 'OK');
}
