import type { Command } from 'commander';
import { MasterKeyName } from '../admins/command-args.js';
import { runCeremony } from '../master-key/ceremony-process.js';
import type { MadeSet } from '../master-key/ceremony-request.js';
import { KeysteadError } from '../shared/errors.js';
import { type CliContext, notice, printResult, usage, withProgress } from './context.js';
import {
  assertNewFiles,
  describeSet,
  judgeCounts,
  KEYSHARES_ABOUT,
  keyshareArgument,
  parseKeyshares,
  readKeyshares,
  spellHex,
} from './keyshares.js';
import { addCosigned } from './master-key-cosigned.js';
import { type ImportOptions, importMasterKey } from './master-key-import.js';
import { addOffline } from './master-key-offline.js';
import { drawRandom } from './master-key-random.js';
import { group, leaf, type SignedOptions, signed, toNumber } from './options.js';
import { PassphraseReader } from './passphrase.js';
import { assertAllRead, type Reading, type ReadingOptions, readingJson, readRecords } from './readings.js';
import { commandLine } from './shell.js';
import { table } from './table.js';

const SHARES = `'["share1.ks#env:SHARE1","share2.ks#env:SHARE2","share3.ks#env:SHARE3"]'`;
const AUTH = `--auth '[{"ADMIN":"admin.key#env:ADMIN_PASS"}]'`;

export interface GenerateOptions extends SignedOptions {
  readonly keyshareFiles: string;
  readonly keyshareMinimum: number;
  readonly algo: string;
  readonly keyName: string;
  /** The command file of mk random, submitted: its unit's random is used. */
  readonly random?: string;
}

export function addMasterKey(cryptoUnit: Command, ctx: CliContext): void {
  const about = 'Make, import, list and check the master key';
  const masterKey = group(cryptoUnit, 'master-key', about, 'kp crypto-unit mk list').alias('mk');

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
    .option('--random <file>', 'the submitted command file of mk random; nothing is signed then')
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
    .option('--importers <file>', 'the submitted command file of mk importer, whose one-time keys are used')
    .action((options: ImportOptions) => importMasterKey(ctx, options));

  addCosigned(masterKey, ctx);
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
  if (options.signOnly !== undefined) {
    throw usage(
      'what is signed for a new master key is the request for random bytes: write that to a file with mk random, have it signed and submitted, then give it to mk generate with --random',
      commandLine(['kp', 'crypto-unit', 'mk', 'random'], { '--sign-only': options.signOnly }),
    );
  }
  judgeCounts(ctx, references.length, t);
  await assertNewFiles(references);
  const passphrases = new PassphraseReader(ctx);
  const shares = await readKeyshares(ctx, passphrases, references, true);
  const flags = {
    '--keyshare-files': keyshareArgument(references),
    '--keyshare-minimum': String(t),
    '--algo': algo,
    '--key-name': keyName,
  };
  const drawn = await drawRandom(ctx, options, passphrases, flags);
  if (!drawn) return;
  const { instance, unitId, unitRandom } = drawn;
  const made = await withProgress(
    ctx,
    'Making the master key and its keyshares',
    runCeremony({ job: 'generate', instance, unitRandom, name: keyName, t, shares }),
  );
  for (const { passphrase } of shares) passphrase[Symbol.dispose]();
  printMade(ctx, made, unitId);
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

function addList(command: Command, ctx: CliContext): void {
  command
    .option('--cu <json>', `only these crypto units: '[{"CryptoUnitId":"ID"}]', or @FILE`)
    .action((options: ReadingOptions) => list(ctx, options));
}

async function list(ctx: CliContext, options: ReadingOptions): Promise<void> {
  const readings = await readRecords(ctx, options);
  const units = readings.map((reading) => ({ ...readingJson(reading), masterKey: reading.record?.masterKey ?? null }));
  printResult(ctx, units, () => masterKeyTable(readings));
  const held = readings.flatMap(({ record }) => record?.masterKey?.mkvp ?? []);
  if (new Set(held).size > 1) {
    throw new KeysteadError(
      'MASTER_KEY_MISMATCH',
      "the crypto units hold different master keys; zeroize those with the wrong one ('kp crypto-unit zeroize --id ID'), claim them again and import the right one",
    );
  }
  assertAllRead(readings);
  const without = readings.length - held.length;
  if (held.length === 0 || without === 0) return;
  notice(ctx, `${without} of ${readings.length} crypto units hold no master key yet: kp crypto-unit mk import`);
}

/** IBM's native columns after the unit's id; slot 3 is where IBM's own import puts a master key. */
function masterKeyTable(readings: readonly Reading[]): string {
  return table(
    ['CryptoUnit', 'Slot', 'Name', 'Len', 'Algo', 'Type', 'k', 'n', 'GenerationDate', 'KeyCheckValue'],
    readings.map(({ unit, record }) => {
      const mk = record?.masterKey;
      if (!mk) return [unit, '-'];
      return [unit, '3', mk.name, '32', 'AES', 'SHARE', String(mk.t), String(mk.n), mk.createdAt, spellHex(mk.mkvp)];
    }),
  );
}
