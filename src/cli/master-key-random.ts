import type { Receipt } from '../admins/receipt.js';
import { fromBase64 } from '../shared/bytes.js';
import { needs } from '../shared/errors.js';
import { type CliContext, usage } from './context.js';
import { KnownUnits } from './known-units.js';
import { receiptsOf } from './master-key-cosigned.js';
import type { SignedOptions } from './options.js';
import { type Outcome, report } from './outcome.js';
import type { PassphraseReader } from './passphrase.js';
import { plansOnly } from './plan.js';
import { execute } from './signed-operation.js';
import { beginSigning } from './signing.js';
import { openInstance } from './target.js';

/** 32 random bytes of a crypto unit, out of its signed receipt. */
export interface Drawn {
  readonly instance: string;
  readonly unitId: string;
  readonly unitRandom: Buffer;
}

const LABEL = 'Generate Master Key';

/**
 * From the first unit that gives them, or from the one that a submitted command file asked. Undefined when only the plan
 * was to be shown; throws when no unit gives any.
 */
export async function drawRandom(
  ctx: CliContext,
  options: SignedOptions & { readonly random?: string },
  passphrases: PassphraseReader,
  flags: Readonly<Record<string, string>>,
): Promise<Drawn | undefined> {
  if (options.random !== undefined) return randomIn(ctx, options, options.random);
  const words = ['kp', 'crypto-unit', 'mk', 'generate'];
  const signing = await beginSigning(ctx, { options, passphrases, words, flags });
  const prepared = await signing.prepare('mk.random');
  if (plansOnly(ctx, signing, 'mk.random', { bytes: 32 }, prepared)) return undefined;
  const outcomes: Outcome[] = [...prepared.failed];
  for (const one of prepared.ready) {
    const executed = await execute(ctx, signing.api, [one], 'mk.random', () => ({ bytes: 32 }));
    outcomes.push(...executed.failed);
    const [done] = executed.done;
    if (!done) continue;
    return { instance: signing.api.instanceId, unitId: one.unit.id, unitRandom: randomOf(done.receipt) };
  }
  report(ctx, { label: LABEL, outcomes, retry: signing.retry });
  return undefined;
}

async function randomIn(ctx: CliContext, options: SignedOptions, path: string): Promise<Drawn> {
  const { auth, cu, plan } = options;
  if (plan || auth !== undefined || cu !== undefined) {
    throw usage(
      '--random takes what administrators signed before: nothing is signed or sent now, so leave out --auth, --cu and --plan',
    );
  }
  const api = await openInstance(ctx, options);
  const trust = { known: new KnownUnits(ctx), compared: options.unitKey ?? [] };
  const [first] = await receiptsOf(ctx, api, path, 'mk.random', trust);
  needs(first, 'FILE_INVALID', `${path} names no crypto unit`);
  return { instance: api.instanceId, unitId: first.target.id, unitRandom: randomOf(first.receipt) };
}

function randomOf({ unit, facts: { random } }: Receipt): Buffer {
  needs(typeof random === 'string', 'RECEIPT_INVALID', `the receipt of crypto unit ${unit} holds no random bytes`);
  const bytes = fromBase64(random, 'the random of the crypto unit');
  needs(bytes.length === 32, 'RECEIPT_INVALID', `crypto unit ${unit} gave ${bytes.length} random bytes, not 32`);
  return bytes;
}
