import type { Command } from 'commander';
import { heldBack } from './carry-out.js';
import { type CliContext, usage } from './context.js';
import { leaf, type SignedOptions, signed, toUuid } from './options.js';
import { report } from './outcome.js';
import { execute } from './signed-operation.js';
import { outcomesOf } from './signed-report.js';
import { beginSigning } from './signing.js';

const NEEDED =
  'zeroize needs the signature of an administrator of the unit, unlike with IBM, where being logged in is enough: give --auth or --cu. Without any administrator key, run keystead agent zeroize on the host of the unit';

export function addZeroize(cryptoUnit: Command, ctx: CliContext): void {
  signed(
    leaf(
      cryptoUnit,
      'zeroize',
      'Destroy everything that a crypto unit holds; it is reserved afterwards',
      `kp crypto-unit zeroize --id 6e0aead3-9d44-4c92-a4c4-f7a1ab415420 --auth '[{"ADMIN":"admin.key#env:ADMIN_PASS"}]'`,
    ),
  )
    .requiredOption('--id <uuid>', 'the crypto unit', toUuid)
    .option('--force', 'also when the instance still holds keys and no other unit could serve them')
    .action(async (options: SignedOptions & { id: string; force?: boolean }) => {
      await zeroizeUnits(ctx, { options, only: [options.id], force: options.force === true, quiet: false });
    });
}

export interface Zeroization {
  readonly options: SignedOptions;
  readonly only: readonly string[];
  readonly force: boolean;
  /** Prints nothing when every unit is done: the caller goes on. */
  readonly quiet: boolean;
}

/** Zeroizes the units and forgets their receipt keys. Returns their ids, or throws as report() does. */
export async function zeroizeUnits(ctx: CliContext, { options, only, force, quiet }: Zeroization): Promise<string[]> {
  const [id = '', more] = only;
  const retryOne = { words: ['kp', 'crypto-unit', 'zeroize'], flags: { '--id': id, '--force': force } };
  const retryAll = { words: ['kp', 'instance', 'delete', options.instanceId ?? ''], flags: { '--force': force } };
  const signing = await beginSigning(ctx, {
    options,
    needed: NEEDED,
    only,
    ...(quiet || more !== undefined ? retryAll : retryOne),
  });
  const sends = !options.plan && options.signOnly === undefined;
  const unsigned = sends ? signing.targets.find(({ signers }) => signers.length === 0) : undefined;
  if (unsigned) throw usage(`--cu names no signer for crypto unit ${unsigned.unit.id}`);
  const prepared = await signing.prepare('zeroize', { force });
  if (await heldBack(ctx, signing, 'zeroize', { force }, prepared)) return [];
  const { ready, failed } = prepared;
  const executed = await execute(ctx, signing.api, ready, 'zeroize', () => ({ force }));
  const done = executed.done.map(({ receipt }) => receipt.unit);
  for (const unitId of done) await signing.trust.known.forget(unitId);
  const outcomes = outcomesOf(signing, failed, executed);
  if (!quiet || done.length < outcomes.length) {
    report(ctx, { label: 'Zeroize', outcomes, retry: signing.retry, extra: { plan: executed.plan } });
  }
  return done;
}
