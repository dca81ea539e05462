import type { Command } from 'commander';
import type { CliContext } from './context.js';
import { addKeyAliases } from './key-aliases.js';
import { addKeyCreate } from './key-create.js';
import { addKeyLife } from './key-life.js';
import { addKeyPolicies } from './key-policies.js';
import { addKeyShow } from './key-show.js';
import { addKeyWrapping } from './key-wrapping.js';
import { group } from './options.js';

/** Every command under `kp key`. */
export function addKey(program: Command, ctx: CliContext): void {
  const key = group(program, 'key', 'Make keys, use them and end them', 'kp key create payments-root');
  addKeyCreate(key, ctx);
  addKeyShow(key, ctx);
  addKeyWrapping(key, ctx);
  addKeyLife(key, ctx);
  addKeyPolicies(key, ctx);
  addKeyAliases(key, ctx);
}
