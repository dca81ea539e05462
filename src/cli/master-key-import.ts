import type { Receipt } from '../admins/receipt.js';
import { runCeremony } from '../master-key/ceremony-process.js';
import type { SetFacts } from '../master-key/ceremony-request.js';
import { fromBase64 } from '../shared/bytes.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { type CliContext, CommandFailure, withProgress } from './context.js';
import {
  assertDistinct,
  type Keyshare,
  keyshareArgument,
  parseKeyshares,
  readKeyshares,
  spellHex,
} from './keyshares.js';
import type { SignedOptions } from './options.js';
import { PassphraseReader } from './passphrase.js';
import { type Executed, execute } from './signed-operation.js';
import { printExecuted } from './signed-report.js';
import { beginSigning, type Signing } from './signing.js';
import { recordOf } from './unit-key.js';

/**
 * Import, in this order: the keyshares are opened and combined once, offline; every unit makes a one-time importer key
 * by a signed command; the ceremony process encrypts the two halves of the master key to each of those keys, which
 * count only out of verified receipts; the import command, signed, carries the blobs. What is done in a unit stays done.
 */
export async function importMasterKey(
  ctx: CliContext,
  options: SignedOptions & { keyshareFiles: string },
): Promise<void> {
  const references = await parseKeyshares(options.keyshareFiles);
  await assertDistinct(references, '--keyshare-files');
  const passphrases = new PassphraseReader(ctx);
  const shares = await readKeyshares(ctx, passphrases, references, false);
  const set = await withProgress(ctx, 'Checking the keyshares', checkShares(shares));
  const signing = await beginSigning(ctx, {
    options,
    passphrases,
    words: ['kp', 'crypto-unit', 'mk', 'import'],
    flags: { '--keyshare-files': keyshareArgument(references) },
  });
  await assertRightInstance(signing, set);
  const { ready, failed } = await signing.prepare('mk.importer');
  const importers = await execute(ctx, signing.api, ready, 'mk.importer', () => ({}));
  const imported = await carryIn(ctx, signing, shares, importers);
  for (const { passphrase } of shares) passphrase[Symbol.dispose]();
  const checked = imported.done.map(({ receipt }) => receipt);
  for (const receipt of checked) assertImported(receipt, set);
  const oaep = [...new Set(importers.done.map(({ receipt }) => importerOf(receipt).oaep))];
  printExecuted(
    ctx,
    'Import Master Key',
    signing,
    [...failed, ...importers.failed],
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

async function carryIn(
  ctx: CliContext,
  { api }: Signing,
  shares: readonly Keyshare[],
  importers: Executed,
): Promise<Executed> {
  if (importers.done.length === 0) return { ...importers, failed: [] };
  const units = importers.done.map(({ receipt }) => ({ id: receipt.unit, ...importerOf(receipt) }));
  const job = { job: 'import' as const, instance: api.instanceId, shares, units };
  const made = await withProgress(ctx, 'Encrypting the master key to the units', runCeremony(job));
  const { mkId, setId, name, algorithm, t, n, mkvp, createdAt, check } = made;
  const ready = importers.done.map((done) => done.ready);
  return execute(ctx, api, ready, 'mk.import', (ids) => {
    const units = Object.fromEntries(Object.entries(made.units).filter(([id]) => ids.includes(id)));
    return { mkId, setId, name, algorithm, t, n, mkvp, createdAt, check, units };
  });
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
