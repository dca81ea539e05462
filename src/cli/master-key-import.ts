import type { Receipt } from '../admins/receipt.js';
import { runCeremony } from '../master-key/ceremony-process.js';
import type { SetFacts } from '../master-key/ceremony-request.js';
import { fromBase64 } from '../shared/bytes.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { heldBack } from './carry-out.js';
import { LABELS } from './command-words.js';
import { type CliContext, CommandFailure, usage, withProgress } from './context.js';
import {
  assertDistinct,
  type Keyshare,
  keyshareArgument,
  parseKeyshares,
  readKeyshares,
  spellHex,
} from './keyshares.js';
import { receiptsOf } from './master-key-cosigned.js';
import type { SignedOptions } from './options.js';
import { PassphraseReader } from './passphrase.js';
import { planOf, printPlan } from './plan.js';
import { commandLine } from './shell.js';
import { type CommandArguments, execute, type Prepared } from './signed-operation.js';
import { printExecuted } from './signed-report.js';
import { beginSigning, type Signing } from './signing.js';
import { recordOf } from './unit-key.js';

export interface ImportOptions extends SignedOptions {
  readonly keyshareFiles: string;
  /** The command file of mk importer, submitted. */
  readonly importers?: string;
}

/**
 * Import, in this order: the keyshares are opened and combined once, offline; every unit makes a one-time importer key
 * by a signed command; the ceremony process encrypts the two halves of the master key to each of those keys, which
 * count only out of verified receipts; the import command, signed, carries the blobs. What is done in a unit stays done.
 * With --importers the one-time keys were asked for before, in a command file that several administrators signed.
 */
export async function importMasterKey(ctx: CliContext, options: ImportOptions): Promise<void> {
  if (options.signOnly !== undefined && options.importers === undefined) {
    throw usage(
      'an import is two commands, the second one encrypted to what the first one made: write the first one to a file with mk importer, have it signed and submitted, then give it to mk import with --importers',
      commandLine(['kp', 'crypto-unit', 'mk', 'importer'], { '--sign-only': options.signOnly }),
    );
  }
  const references = await parseKeyshares(options.keyshareFiles);
  await assertDistinct(references, '--keyshare-files');
  const passphrases = new PassphraseReader(ctx);
  const shares = await readKeyshares(ctx, passphrases, references, false);
  const set = await withProgress(ctx, 'Checking the keyshares', checkShares(shares));
  const signing = await beginSigning(ctx, {
    options,
    passphrases,
    words: ['kp', 'crypto-unit', 'mk', 'import'],
    flags: { '--keyshare-files': keyshareArgument(references), '--importers': options.importers },
  });
  await assertRightInstance(signing, set);
  if (options.plan) return planImport(ctx, signing, set);
  const { made, ready, failed, argsFor } = await sealToUnits(ctx, signing, shares, options.importers);
  for (const { passphrase } of shares) passphrase[Symbol.dispose]();
  if (options.signOnly !== undefined) {
    const args = argsFor(ready.map(({ unit }) => unit.id));
    await heldBack(ctx, signing, 'mk.import', args, { ready, failed });
    return;
  }
  const imported = await execute(ctx, signing.api, ready, 'mk.import', argsFor);
  const checked = imported.done.map(({ receipt }) => receipt);
  for (const receipt of checked) assertImported(receipt, set);
  const oaep = [...new Set(made.map((receipt) => importerOf(receipt).oaep))];
  printExecuted(
    ctx,
    'Import Master Key',
    signing,
    failed,
    imported,
    { masterKey: { mkId: set.mkId, name: set.name, mkvp: set.mkvp, t: set.t, n: set.n }, oaep },
    [
      '',
      `Master key ${set.name}, check value ${spellHex(set.mkvp)}`,
      ...(oaep.length > 0 ? [`It went to the units under RSA-OAEP with ${oaep.join(' and ')}.`] : []),
    ],
  );
}

/** What the keyshares say together. Throws, naming the bad file, before any unit hears of them. */
async function checkShares(shares: readonly Keyshare[]): Promise<SetFacts> {
  const { files, set, mkvp, error } = await runCeremony({ job: 'verify', shares });
  const bad = files.find((file) => file.error)?.error ?? error;
  if (bad) throw new KeysteadError(bad.code, bad.message);
  needs(set, 'KEYSHARE_INVALID', 'the keyshares are not of one set');
  needs(
    mkvp,
    'KEYSHARE_INVALID',
    `${shares.length} keyshares are too few: ${set.t} of the ${set.n} of master key ${set.name} are needed`,
  );
  return set;
}

/** The keyshares must be of this instance, and no unit of it, target or not, may hold another master key. */
async function assertRightInstance({ api }: Signing, set: SetFacts): Promise<void> {
  if (set.instance !== api.instanceId) {
    throw new CommandFailure(
      'MASTER_KEY_MISMATCH',
      `the keyshares are of instance ${set.instance}, and this is instance ${api.instanceId}`,
      `export KP_INSTANCE_ID=${set.instance}`,
    );
  }
  for (const { id } of await api.units()) {
    const there = masterKeyOf(await api.unit(id));
    needs(
      there === null || there === set.mkvp,
      'MASTER_KEY_MISMATCH',
      `crypto unit ${id} holds another master key (${spellHex(there ?? '')}) than these keyshares make (${spellHex(set.mkvp)}); all units of an instance hold the same one`,
    );
  }
}

/** The MKVP in the record that the server shows. Only a hint: each target proves its own when it takes the import. */
function masterKeyOf(unit: { readonly [member: string]: unknown }): string | null {
  const record = unit['record'] as { masterKey?: { mkvp?: unknown } | null } | null | undefined;
  const mkvp = record?.masterKey?.mkvp;
  return typeof mkvp === 'string' && /^[0-9a-f]{32}$/.test(mkvp) ? mkvp : null;
}

/** The units whose one-time keys are there, and the args of the import with the master key encrypted to each of them. */
interface Sealed extends Prepared {
  readonly made: readonly Receipt[];
  readonly argsFor: (unitIds: readonly string[]) => CommandArguments;
}

async function sealToUnits(
  ctx: CliContext,
  signing: Signing,
  shares: readonly Keyshare[],
  file: string | undefined,
): Promise<Sealed> {
  const { made, ready, failed } = await (file === undefined
    ? askImporters(ctx, signing)
    : importersIn(ctx, signing, file));
  if (made.length === 0) return { made, ready: [], failed, argsFor: () => ({}) };
  const units = made.map((receipt) => ({ id: receipt.unit, ...importerOf(receipt) }));
  const job = { job: 'import' as const, instance: signing.api.instanceId, shares, units };
  const sealed = await withProgress(ctx, 'Encrypting the master key to the units', runCeremony(job));
  const { mkId, setId, name, algorithm, t, n, mkvp, createdAt, check } = sealed;
  const argsFor = (ids: readonly string[]) => {
    const blobs = Object.fromEntries(Object.entries(sealed.units).filter(([id]) => ids.includes(id)));
    return { mkId, setId, name, algorithm, t, n, mkvp, createdAt, check, units: blobs };
  };
  return { made, ready, failed, argsFor };
}

type Importers = Omit<Sealed, 'argsFor'>;

async function askImporters(ctx: CliContext, signing: Signing): Promise<Importers> {
  const { ready, failed } = await signing.prepare('mk.importer');
  const { done, failed: refused } = await execute(ctx, signing.api, ready, 'mk.importer', () => ({}));
  return {
    made: done.map(({ receipt }) => receipt),
    ready: done.map((one) => one.ready),
    failed: [...failed, ...refused],
  };
}

/** The one-time keys that the units made for a command file; only for those units the import can be. */
async function importersIn(ctx: CliContext, signing: Signing, file: string): Promise<Importers> {
  const answered = await receiptsOf(ctx, signing.api, file, 'mk.importer', signing.trust);
  const made = answered.map(({ receipt }) => receipt);
  const stranger = signing.targets.find(({ unit }) => !made.some((receipt) => receipt.unit === unit.id));
  if (stranger) {
    throw usage(`${file} asked no one-time key of crypto unit ${stranger.unit.id}; name the other units with --cu`);
  }
  const { ready, failed } = await signing.prepare('mk.import');
  return { made: made.filter(({ unit }) => ready.some((one) => one.unit.id === unit)), ready, failed };
}

async function planImport(ctx: CliContext, signing: Signing, set: SetFacts): Promise<void> {
  const prepared = await signing.prepare('mk.importer');
  const planned = planOf(signing, 'mk.importer', {}, prepared, ({ record: { masterKey } }) => {
    needs(
      masterKey === null || masterKey.mkvp === set.mkvp,
      'MASTER_KEY_MISMATCH',
      `the unit has another master key, ${masterKey?.name}; zeroize it first`,
    );
    if (masterKey) return ['holds this master key already; nothing changes'];
    return [
      'makes a one-time key that the master key is encrypted to',
      `imports the master key '${set.name}', check value ${spellHex(set.mkvp)}`,
    ];
  });
  printPlan(ctx, LABELS['mk.import'], planned);
}

/** The one-time key in a receipt that was verified against the signed mk.importer command. */
function importerOf({ unit, facts }: Receipt): { importer: Buffer; oaep: 'SHA-1' | 'SHA-256' } {
  const { publicKey, oaep } = facts;
  const fits = typeof publicKey === 'string' && (oaep === 'SHA-1' || oaep === 'SHA-256');
  needs(fits, 'RECEIPT_INVALID', `the receipt of crypto unit ${unit} holds no importer key`);
  return { importer: fromBase64(publicKey, `the importer key of crypto unit ${unit}`), oaep };
}

function assertImported(receipt: Receipt, set: SetFacts): void {
  const there = recordOf(receipt).masterKey?.mkvp;
  needs(
    there === set.mkvp,
    'MASTER_KEY_MISMATCH',
    `crypto unit ${receipt.unit} signed that it holds another master key (${there ?? 'none'}) than the one imported`,
  );
}
