import type { Command } from 'commander';
import { z } from 'zod';
import { carryOut } from './carry-out.js';
import { type CliContext, notice } from './context.js';
import { group, leaf, type SignedOptions, signed } from './options.js';
import { beginSigning } from './signing.js';

const EXAMPLE = `kp restore accept --auth '[{"ADMIN":"admin.key#env:ADMIN_PASS"}]'`;
const Place = z.looseObject({ size: z.number(), root: z.string() });

export function addRestore(program: Command, ctx: CliContext): void {
  signed(
    leaf(
      group(program, 'restore', 'After a database was restored', EXAMPLE),
      'accept',
      'Accept the database as it is, though crypto units have seen a newer one',
      EXAMPLE,
      'kp restore accept --sign-only restore.json',
    ),
  ).action((options: SignedOptions) => accept(ctx, options));
}

/** The administrators sign how far the restored log goes; each unit takes that for its last checkpoint. */
async function accept(ctx: CliContext, options: SignedOptions): Promise<void> {
  const signing = await beginSigning(ctx, { options, words: ['kp', 'restore', 'accept'] });
  const { size, root } = await signing.api.call('GET', '/api/v1/audit/head', Place);
  if (!ctx.json) {
    notice(
      ctx,
      `The audit log of this database has ${size} lines and ends with ${root}. What was done after that is forgotten: keys may be in a state that they had left.`,
    );
  }
  await carryOut(ctx, signing, 'restore.accept', { size, root }, { size, root });
}
