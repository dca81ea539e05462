import type { Command } from 'commander';
import { readAuthority, SignerOpener } from './auth.js';
import { nameOf, type OpenedFile, openCommandFile, replaceCommandFile, stillToSign } from './command-file.js';
import { isExpired, printCommand } from './command-show.js';
import { type SubmitOptions, submitCommand } from './command-submit.js';
import { type CliContext, CommandFailure, usage } from './context.js';
import { KnownUnits } from './known-units.js';
import { type CommonOptions, group, leaf, planOption, unitKeyOption } from './options.js';
import { PassphraseReader } from './passphrase.js';
import { commandLine } from './shell.js';
import { trustNewKey } from './unit-key.js';

const SIGN = `kp command sign threshold.json --auth '[{"bob":"bob.key#env:BOB_PASS"}]'`;

interface SignOptions extends CommonOptions {
  readonly auth?: string;
  readonly unitKey?: readonly string[];
}

export function addCommand(program: Command, ctx: CliContext): void {
  const command = group(
    program,
    'command',
    'Read, sign and send commands that --sign-only wrote to a file; reading and signing contact nobody',
    'kp command show threshold.json',
  );
  leaf(
    command,
    'show',
    'Say in plain words what a command does, who signed it and what is missing',
    'kp command show threshold.json',
  )
    .argument('<file>', 'the command file')
    .action(async (path: string) => printCommand(ctx, await openCommandFile(path, new KnownUnits(ctx))));
  leaf(command, 'sign', 'Add a signature to a command; nothing is contacted', SIGN)
    .argument('<file>', 'the command file; it is replaced by the one with the new signature')
    .option('--auth <json>', `who signs: '[{"bob":"FILE#PASSPHRASE"}]', or @FILE`)
    .addOption(unitKeyOption())
    .action((path: string, options: SignOptions) => sign(ctx, path, options));
  leaf(
    command,
    'submit',
    'Send a command to its crypto units; sending it again is answered as the first time',
    'kp command submit threshold.json',
  )
    .argument('<file>', 'the command file, with all its signatures')
    .addOption(unitKeyOption())
    .addOption(planOption())
    .action((path: string, options: SubmitOptions) => submitCommand(ctx, path, options));
}

async function sign(ctx: CliContext, path: string, options: SignOptions): Promise<void> {
  const needed = 'say who signs: --auth';
  const { signers: references } = await readAuthority({ ...(options.auth && { auth: options.auth }) }, needed);
  const trust = { known: new KnownUnits(ctx), compared: options.unitKey ?? [] };
  const before = await openCommandFile(path, trust.known);
  assertSignable(ctx, before);
  for (const { id, spki, known } of before.targets) {
    const instanceId = before.file.command.payload.instance;
    if (!known) await trustNewKey(ctx, { id, instanceId }, spki, trust);
  }
  let { file } = before;
  for (const { kid, key, reference } of await new SignerOpener(new PassphraseReader(ctx)).open(references)) {
    assertAdministrator(before, kid, reference.file);
    file = file.signedBy(key);
  }
  await replaceCommandFile(path, file);
  const after = await openCommandFile(path, trust.known);
  printCommand(ctx, after, ['OK', `${path} has ${file.signers.length} signature(s) now.`, '']);
}

function assertSignable(ctx: CliContext, opened: OpenedFile): void {
  if (!isExpired(opened, ctx.now())) return;
  const { expiresAt } = opened.file.command.payload;
  throw new CommandFailure(
    'COMMAND_EXPIRED',
    `the command in ${opened.path} was good until ${expiresAt}; make it again with --sign-only`,
    commandLine(['kp', 'command', 'show', opened.path], {}),
  );
}

/** Every unit of the command must know the key, which has not signed yet: one bad signature spoils the whole command. */
function assertAdministrator(opened: OpenedFile, kid: string, keyFile: string): void {
  const name = nameOf(opened, kid);
  if (opened.file.signers.includes(kid)) {
    throw usage(`'${name}' (${keyFile}) has signed ${opened.path} already; each administrator signs once`);
  }
  const stranger = opened.targets.find(({ record }) => !record.admins.some((admin) => admin.kid === kid));
  if (!stranger) return;
  throw new CommandFailure(
    'SIGNATURE_INVALID',
    `the key in ${keyFile} is not of an administrator of crypto unit ${stranger.id}; these can still sign: ${stillToSign(opened).join(', ') || 'none'}`,
  );
}
