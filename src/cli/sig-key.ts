import { basename } from 'node:path';
import type { Command } from 'commander';
import { SIG_KEY_PASSPHRASE } from '../admins/passphrase.js';
import { readAdminKey } from '../admins/public-key.js';
import { publicPartOf } from '../admins/sig-key-file.js';
import type { Secret } from '../shared/secret.js';
import { type CliContext, notice, printResult, usage, withProgress } from './context.js';
import { assertCreatable, createPrivate } from './files.js';
import { fileOption, group, leaf, oneFile } from './options.js';
import { judgePassphrase, PassphraseReader, parseSource } from './passphrase.js';

interface GenerateOptions {
  readonly file?: string;
  readonly credential?: string;
  readonly passphrase?: string;
  readonly algo: string;
}

export function addSigKey(cryptoUnit: Command, ctx: CliContext): void {
  const generate = leaf(
    group(
      cryptoUnit,
      'sig-key',
      'Make the signature key of an administrator',
      'kp crypto-unit sig-key generate --file admin.key --passphrase -',
    ),
    'generate',
    'Make a signature key file; nothing is contacted',
    'kp crypto-unit sig-key generate --file admin.key --passphrase - --algo RSA-2048',
    'kp crypto-unit sig-key generate --file admin.key --passphrase env:ADMIN_PASS',
  );
  fileOption(generate, 'file', 'credential', 'the file to make; it must not exist')
    .option(
      '--passphrase <passphrase>',
      "encrypts the key: '-' asks; env:VAR, file:PATH, fd:N, stdin, or the passphrase itself",
    )
    .option('--algo <algorithm>', 'RSA-2048', 'RSA-2048')
    .action((options: GenerateOptions) => make(ctx, options));
}

async function make(ctx: CliContext, options: GenerateOptions): Promise<void> {
  if (options.algo !== 'RSA-2048') throw usage(`--algo must be RSA-2048, not ${options.algo}`);
  const file = oneFile(options, 'file');
  await assertCreatable(file);
  using passphrase = await readPassphrase(ctx, options.passphrase, file);
  const name = basename(file).replace(/\.[^.]*$/, '') || 'ADMIN';
  const { makeSigKey } = await import('../admins/certificate-maker.js'); // slow to load, and no other command needs it
  const text = await withProgress(ctx, 'Making an RSA key', makeSigKey(name, passphrase));
  await createPrivate(file, text);
  const { kid } = readAdminKey(await publicPartOf(text, file, async () => null));
  const result = { file, algorithm: 'RSA-2048', fingerprint: kid, encrypted: passphrase !== null };
  printResult(ctx, result, () => `OK\nThe signature key is in ${file}. Its fingerprint is ${kid}.`);
  if (!passphrase)
    notice(ctx, `${file} is not encrypted: whoever reads it is an administrator. --passphrase encrypts it.`);
}

async function readPassphrase(ctx: CliContext, given: string | undefined, file: string): Promise<Secret | null> {
  if (given === undefined || given === '') return null;
  const source = given === '-' ? ({ kind: 'ask' } as const) : parseSource(given);
  const passphrase = await new PassphraseReader(ctx).read(source, true, { subject: file, isNew: true });
  if (!passphrase || passphrase.bytes.length === 0) return null;
  judgePassphrase(ctx, passphrase, SIG_KEY_PASSPHRASE, file);
  return passphrase;
}
