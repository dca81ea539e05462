import type { Command } from 'commander';
import { runCeremony } from '../master-key/ceremony-process.js';
import type { Verification } from '../master-key/ceremony-request.js';
import { type CliContext, CommandFailure, printResult, withProgress } from './context.js';
import {
  assertDistinct,
  assertNewFiles,
  describeSet,
  judgeCounts,
  KEYSHARES_ABOUT,
  parseKeyshares,
  readKeyshares,
  spellHex,
} from './keyshares.js';
import { leaf, toNumber } from './options.js';
import { PassphraseReader } from './passphrase.js';
import { table } from './table.js';

interface ReshareOptions {
  readonly keyshareFiles: string;
  readonly newKeyshareFiles: string;
  readonly keyshareMinimum: number;
}

/** What needs the keyshare files alone: nothing is contacted and nobody signs. */
export function addOffline(masterKey: Command, ctx: CliContext): void {
  leaf(
    masterKey,
    'verify',
    'Check keyshare files and their passphrases, offline',
    `kp crypto-unit mk verify --keyshare-files '["share1.ks#env:SHARE1","share2.ks#env:SHARE2"]'`,
  )
    .requiredOption('--keyshare-files <json>', KEYSHARES_ABOUT)
    .action((options: { keyshareFiles: string }) => verify(ctx, options.keyshareFiles));

  leaf(
    masterKey,
    'reshare',
    'Split the same master key into a new set of keyshare files, offline; old shares stay good until they are destroyed',
    `kp crypto-unit mk reshare --keyshare-files '["share1.ks#env:SHARE1","share2.ks#env:SHARE2"]' --new-keyshare-files '["new1.ks#env:NEW1","new2.ks#env:NEW2","new3.ks#env:NEW3"]' --keyshare-minimum 2`,
  )
    .requiredOption('--keyshare-files <json>', `${KEYSHARES_ABOUT}; the old ones, the minimum or more`)
    .requiredOption('--new-keyshare-files <json>', `${KEYSHARES_ABOUT}; they must not exist`)
    .option('--keyshare-minimum <number>', 'how many of the new keyshares make the master key', toNumber(0, 999), 2)
    .action((options: ReshareOptions) => reshare(ctx, options));
}

async function verify(ctx: CliContext, files: string): Promise<void> {
  const references = await parseKeyshares(files);
  await assertDistinct(references, '--keyshare-files');
  const shares = await readKeyshares(ctx, new PassphraseReader(ctx), references, false);
  const found = await withProgress(ctx, 'Opening the keyshares', runCeremony({ job: 'verify', shares }));
  for (const { passphrase } of shares) passphrase[Symbol.dispose]();
  printResult(ctx, found, () => describeVerification(found));
  const bad = found.files.find((file) => file.error)?.error ?? found.error;
  if (bad) throw new CommandFailure(bad.code, bad.message);
}

/** The table of the files, then what they say together. */
export function describeVerification({ files, set, mkvp }: Verification): string {
  const rows = files.map(({ file, index, error }) => [
    file,
    index === null ? '-' : String(index),
    error ? 'FAILED' : 'OK',
  ]);
  const lines = [table(['File', 'Share', 'Result'], rows)];
  if (set) {
    lines.push('', `Master key ${set.name} of instance ${set.instance}: ${set.t} of ${set.n} keyshares make it.`);
    lines.push(
      mkvp
        ? `These make it. Check value ${spellHex(mkvp)}`
        : `These alone do not make it. Check value, as the files say: ${spellHex(set.mkvp)}`,
    );
  }
  return lines.join('\n');
}

async function reshare(ctx: CliContext, options: ReshareOptions): Promise<void> {
  const { keyshareMinimum: t } = options;
  const old = await parseKeyshares(options.keyshareFiles);
  const fresh = await parseKeyshares(options.newKeyshareFiles, '--new-keyshare-files');
  await assertDistinct(old, '--keyshare-files');
  judgeCounts(ctx, fresh.length, t, '--new-keyshare-files');
  await assertNewFiles(fresh, '--new-keyshare-files');
  const passphrases = new PassphraseReader(ctx);
  const shares = await readKeyshares(ctx, passphrases, old, false);
  const to = await readKeyshares(ctx, passphrases, fresh, true);
  const made = await withProgress(ctx, 'Splitting the master key anew', runCeremony({ job: 'reshare', shares, to, t }));
  for (const { passphrase } of [...shares, ...to]) passphrase[Symbol.dispose]();
  printResult(ctx, made, () =>
    ['OK', ...describeSet(made), 'Destroy the old keyshares: each set makes the master key on its own.'].join('\n'),
  );
}
