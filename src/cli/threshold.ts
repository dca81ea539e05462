import type { Command } from 'commander';
import { MAX_SIGNERS } from '../admins/command-args.js';
import { carryOut } from './carry-out.js';
import { type CliContext, notice } from './context.js';
import { group, leaf, type SignedOptions, signed, toNumber } from './options.js';
import { beginSigning } from './signing.js';

const TWO = `--auth '[{"ADMIN":"admin.key#env:ADMIN_PASS"},{"bob":"bob.key#env:BOB_PASS"}]'`;

export function addThreshold(cryptoUnit: Command, ctx: CliContext): void {
  const threshold = group(
    cryptoUnit,
    'threshold',
    'How many administrators must sign each command',
    `kp crypto-unit threshold set 2 ${TWO}`,
  );
  signed(
    leaf(
      threshold,
      'set',
      'Set how many administrators must sign; as many as the larger of the old and the new number must sign this',
      `kp crypto-unit threshold set 2 ${TWO}`,
      'kp crypto-unit threshold set 2 --sign-only threshold.json',
    ),
  )
    .argument('<number>', `1 to ${MAX_SIGNERS}, and no more than there are administrators`, toNumber(1, MAX_SIGNERS))
    .action((number: number, options: SignedOptions) => setThreshold(ctx, number, options));
}

async function setThreshold(ctx: CliContext, threshold: number, options: SignedOptions): Promise<void> {
  const words = ['kp', 'crypto-unit', 'threshold', 'set', String(threshold)];
  const signing = await beginSigning(ctx, { options, words });
  await carryOut(ctx, signing, 'threshold.set', { threshold }, { threshold });
  const enrolled = signing.targets.map(({ unit }) => unit.admins?.length ?? 0);
  if (threshold > 1 && enrolled.includes(threshold)) {
    notice(
      ctx,
      'As many administrators are enrolled as must sign: when one key is lost, nobody can sign for these units any more. Add another one: kp crypto-unit user add --type admin',
    );
  }
}
