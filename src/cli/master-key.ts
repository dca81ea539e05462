import type { Command } from 'commander';
import { MasterKeyName } from '../admins/command-args.js';
import { runCeremony } from '../master-key/ceremony-process.js';
import type { MadeSet } from '../master-key/ceremony-request.js';
import { fromBase64 } from '../shared/bytes.js';
import { spell } from '../shared/check-value.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { readUnits } from './auth.js';
import { type CliContext, notice, printResult, usage, withProgress } from './context.js';
import { assertNewFiles, judgeCounts, keyshareArgument, parseKeyshares, readKeyshares } from './keyshares.js';
import { KnownUnits } from './known-units.js';
import { importMasterKey } from './master-key-import.js';
import { addOffline } from './master-key-offline.js';
import { type CommonOptions, leaf, type SignedOptions, signed, toNumber } from './options.js';
import { type Outcome, report } from './outcome.js';
import { PassphraseReader } from './passphrase.js';
import { execute } from './signed-operation.js';
import { beginSigning, type Signing } from './signing.js';
import { table } from './table.js';
import { openInstance, pickUnits } from './target.js';
import { readUnit } from './unit-key.js';

const SHARES = `'["share1.ks#env:SHARE1","share2.ks#env:SHARE2","share3.ks#env:SHARE3"]'`;
const AUTH = `--auth '[{"ADMIN":"admin.key#env:ADMIN_PASS"}]'`;
export const KEYSHARES_ABOUT = `keyshare files: '["FILE#PASSPHRASE",…]', or @FILE`;

export interface GenerateOptions extends SignedOptions {
  readonly keyshareFiles: string;
  readonly keyshareMinimum: number;
  readonly algo: string;
  readonly keyName: string;
}

export function addMasterKey(cryptoUnit: Command, ctx: CliContext): void {
  const masterKey = cryptoUnit
    .command('master-key')
    .alias('mk')
    .description('Make, import, list and check the master key');

  signed(
    leaf(
      masterKey,
      'generate',
      'Make a master key and split it into keyshare files; no crypto unit keeps it',
      `kp crypto-unit mk generate --keyshare-files ${SHARES} --keyshare-minimum 2 --algo AES-256 --key-name main ${AUTH}`,
    ),
  )
    .requiredOption('--keyshare-files <json>', `${KEYSHARES_ABOUT}; they must not exist`)
    .option('--keyshare-minimum <number>', 'how many keyshares make the master key', toNumber(0, 999), 2)
    .option('--algo <algorithm>', 'AES-256', 'AES-256')
    .requiredOption('--key-name <name>', 'name of the master key, 1 to 8 characters')
    .action((options: GenerateOptions) => generate(ctx, options));

  signed(
    leaf(
      masterKey,
      'import',
      'Import the master key into the crypto units, each through a key that the unit made for it',
      `kp crypto-unit mk import --keyshare-files '["share1.ks#env:SHARE1","share3.ks#env:SHARE3"]' ${AUTH}`,
    ),
  )
    .requiredOption('--keyshare-files <json>', `${KEYSHARES_ABOUT}; the minimum of them or more`)
    .action((options: SignedOptions & { keyshareFiles: string }) => importMasterKey(ctx, options));

  addOffline(masterKey, ctx);
  addList(leaf(masterKey, 'list', 'List the master keys of the crypto units', 'kp crypto-unit mk list'), ctx);
  addList(leaf(cryptoUnit, 'master-keys', 'The same as mk list', 'kp crypto-unit master-keys -o json'), ctx);
}

async function generate(ctx: CliContext, options: GenerateOptions): Promise<void> {
  const { keyshareMinimum: t, keyName, algo } = options;
  if (algo !== 'AES-256') throw usage(`--algo must be AES-256, not ${algo}`);
  if (!MasterKeyName.safeParse(keyName).success) {
    throw usage('--key-name must have 1 to 8 printable ASCII characters and no blank at either end');
  }
  const references = await parseKeyshares(options.keyshareFiles);
  judgeCounts(ctx, references.length, t);
  await assertNewFiles(references);
  const passphrases = new PassphraseReader(ctx);
  const shares = await readKeyshares(ctx, passphrases, references, true);
  const signing = await beginSigning(ctx, {
    options,
    passphrases,
    words: ['kp', 'crypto-unit', 'mk', 'generate'],
    flags: {
      '--keyshare-files': keyshareArgument(references),
      '--keyshare-minimum': String(t),
      '--algo': algo,
      '--key-name': keyName,
    },
  });
  const { outcomes, unitRandom } = await drawRandom(ctx, signing);
  if (!unitRandom) return report(ctx, { label: 'Generate Master Key', outcomes, retry: signing.retry });
  const made = await withProgress(
    ctx,
    'Making the master key and its keyshares',
    runCeremony({ job: 'generate', instance: signing.api.instanceId, unitRandom, name: keyName, t, shares }),
  );
  for (const { passphrase } of shares) passphrase[Symbol.dispose]();
  printMade(ctx, made, outcomes.at(-1)?.unitId ?? '');
}

/** 32 random bytes from the first unit that gives them, in its signed receipt, and what the units tried before it said. */
async function drawRandom(
  ctx: CliContext,
  signing: Signing,
): Promise<{ outcomes: Outcome[]; unitRandom: Buffer | null }> {
  const { ready, failed } = await signing.prepare('mk.random');
  const outcomes = [...failed];
  for (const one of ready) {
    const executed = await execute(ctx, signing.api, [one], 'mk.random', () => ({ bytes: 32 }));
    outcomes.push(...executed.failed);
    const [done] = executed.done;
    if (!done) continue;
    const { random } = done.receipt.facts;
    needs(
      typeof random === 'string',
      'RECEIPT_INVALID',
      `the receipt of crypto unit ${one.unit.id} holds no random bytes`,
    );
    const unitRandom = fromBase64(random, 'the random of the crypto unit');
    needs(
      unitRandom.length === 32,
      'RECEIPT_INVALID',
      `crypto unit ${one.unit.id} gave ${unitRandom.length} random bytes, not 32`,
    );
    outcomes.push({ unitId: one.unit.id, receipt: done.receipt });
    return { outcomes, unitRandom };
  }
  return { outcomes, unitRandom: null };
}

function printMade(ctx: CliContext, made: MadeSet, unitId: string): void {
  printResult(ctx, { ...made, unit: unitId }, () =>
    [
      `Executing operation Generate Master Key against CryptoUnit with ID ${unitId}`,
      'OK',
      '',
      ...describeSet(made),
      'Keep each file, and its passphrase, with another person. No crypto unit and no server has a copy.',
    ].join('\n'),
  );
}

/** The lines about a set of keyshare files that was just made. */
export function describeSet(made: MadeSet): string[] {
  return [
    `Master key ${made.name}: ${made.t} of these ${made.n} keyshares make it. Check value ${spellHex(made.mkvp)}`,
    ...made.files.map((file, index) => `  ${index + 1}  ${file}`),
  ];
}

export const spellHex = (hex: string) => spell(Buffer.from(hex, 'hex'));

function addList(command: Command, ctx: CliContext): void {
  command
    .option('--cu <json>', `only these crypto units: '[{"CryptoUnitId":"ID"}]', or @FILE`)
    .action((options: CommonOptions & { cu?: string }) => list(ctx, options));
}

async function list(ctx: CliContext, options: CommonOptions & { cu?: string }): Promise<void> {
  const only = options.cu === undefined ? null : (await readUnits(options.cu)).map(({ id }) => id);
  const api = await openInstance(ctx, options);
  const known = new KnownUnits(ctx);
  const units = [];
  for (const unit of pickUnits(await api.units(), only)) {
    if (unit.state === 'reserved') {
      units.push({ unit: unit.id, state: unit.state, receiptKeyKnown: false, masterKey: null });
      continue;
    }
    const { record, pinned } = await readUnit(ctx, api, unit, known);
    units.push({ unit: unit.id, state: unit.state, receiptKeyKnown: pinned, masterKey: record.masterKey });
  }
  printResult(ctx, units, () =>
    table(
      ['CryptoUnit', 'Slot', 'Name', 'Len', 'Algo', 'Type', 'k', 'n', 'GenerationDate', 'KeyCheckValue'],
      units.map(({ unit, masterKey: mk }) =>
        mk
          ? [unit, '3', mk.name, '32', 'AES', 'SHARE', String(mk.t), String(mk.n), mk.createdAt, spellHex(mk.mkvp)]
          : [unit, '-'],
      ),
    ),
  );
  const values = new Set(units.flatMap(({ masterKey }) => (masterKey ? [masterKey.mkvp] : [])));
  if (values.size > 1) {
    throw new KeysteadError(
      'MASTER_KEY_MISMATCH',
      "the crypto units hold different master keys; zeroize those with the wrong one ('kp crypto-unit zeroize --id ID'), claim them again and import the right one",
    );
  }
  const without = units.filter(({ masterKey }) => !masterKey).length;
  if (values.size === 1 && without > 0)
    notice(ctx, `${without} of ${units.length} crypto units hold no master key yet: kp crypto-unit mk import`);
}
