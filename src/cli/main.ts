import { createReadStream, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { Command, CommanderError } from 'commander';
import { type ErrorCode, EXIT_CODE, KeysteadError, messageOf } from '../shared/errors.js';
import { addAccessKeys } from './access-keys.js';
import { addApiKeys } from './api-keys.js';
import { addAudit, addOperation } from './audit.js';
import { addBackup } from './backup.js';
import { addClaim } from './claim.js';
import { addCommand } from './command.js';
import { addCompletion } from './completion.js';
import { type CliContext, CommandFailure } from './context.js';
import { addCryptoUnit, addCryptoUnits } from './crypto-units.js';
import { addImportToken } from './import-token.js';
import { addInstance } from './instance.js';
import { addInstancePolicies } from './instance-policies.js';
import { addKey } from './key.js';
import { addKeyRings } from './key-rings.js';
import { addKeys } from './key-show.js';
import { addMasterKey } from './master-key.js';
import { group } from './options.js';
import { addRegistrations } from './registrations.js';
import { addRestore } from './restore.js';
import { addSigKey } from './sig-key.js';
import { Interrupted, openTerminal } from './terminal.js';
import { addThreshold } from './threshold.js';
import { send, type TlsFiles } from './transport.js';
import { addUser } from './user.js';
import { addZeroize } from './zeroize.js';

const INTERRUPTED = 130;

/** The whole command tree of `kp`. */
export function buildProgram(ctx: CliContext): Command {
  const program = new Command('kp')
    .description('Keystead: claim crypto units, load a master key that only you hold, use keys')
    .version(versionOf(), '--version', 'print the version')
    .addHelpText('after', ENVIRONMENT);
  addInstancePolicies(addInstance(program, ctx), ctx);
  addCryptoUnits(program, ctx);
  const cryptoUnit = group(program, 'crypto-unit', 'Administer crypto units', 'kp crypto-unit users');
  addCryptoUnit(cryptoUnit, ctx);
  addSigKey(cryptoUnit, ctx);
  addClaim(cryptoUnit, ctx);
  addMasterKey(cryptoUnit, ctx);
  addUser(cryptoUnit, ctx);
  addThreshold(cryptoUnit, ctx);
  addZeroize(cryptoUnit, ctx);
  addCommand(program, ctx);
  addKeys(program, ctx);
  addKey(program, ctx);
  addKeyRings(program, ctx);
  addImportToken(program, ctx);
  addRegistrations(program, ctx);
  addApiKeys(program, ctx);
  addAccessKeys(program, ctx);
  addOperation(program, ctx);
  addAudit(program, ctx);
  addBackup(program, ctx);
  addRestore(program, ctx);
  addCompletion(program, ctx);
  quiet(program);
  return program;
}

const ENVIRONMENT = `
Environment:
  KP_TARGET_ADDR                URL of the server (http://127.0.0.1:8080)
  KP_INSTANCE_ID                the instance, unless -i names it or there is only one
  KP_API_KEY, KP_API_KEY_FILE   the API key, or the file that holds it
  KP_CA_FILE                    certificate authority of the server, PEM
  KP_CLIENT_CERT_FILE, KP_CLIENT_KEY_FILE
                                certificate and key to show to a server that asks for them, PEM
  KP_HOME                       where kp remembers the keys of crypto units (~/.keystead)

Examples:
  $ kp instance create payments --crypto-units 3
  $ kp crypto-units`;

/** Parses, runs, prints what went wrong. Returns the exit code (shared/errors.ts, EXIT_CODE). */
export async function run(ctx: CliContext): Promise<number> {
  const program = buildProgram(ctx);
  try {
    await program.parseAsync([...ctx.argv], { from: 'user' });
    return 0;
  } catch (thrown) {
    return explain(ctx, program, thrown);
  }
}

/** The entry of bin/kp. */
export async function main(): Promise<void> {
  process.stdout.on('error', (cause: NodeJS.ErrnoException) => {
    if (cause.code === 'EPIPE') process.exit(); // the reader, such as head, has seen enough
    throw cause;
  });
  process.exitCode = await run(realContext());
}

function realContext(): CliContext {
  const argv = process.argv.slice(2);
  const { env, stdin, stdout, stderr } = process;
  return {
    env,
    argv,
    json: wantsJson(argv),
    out: (line) => void stdout.write(`${line}\n`),
    err: (line) => void stderr.write(`${line}\n`),
    terminal: openTerminal(stdin, stderr),
    draw: stderr.isTTY ? (text) => void stderr.write(`\r\x1b[K${text}`) : null,
    linesOf,
    request: (request) => send(request, tlsFilesOf(env)),
    now: () => new Date(),
    wait: (milliseconds) => wait(milliseconds),
  };
}

function tlsFilesOf(env: NodeJS.ProcessEnv): TlsFiles {
  return {
    caFile: env['KP_CA_FILE'] || undefined,
    certFile: env['KP_CLIENT_CERT_FILE'] || undefined,
    keyFile: env['KP_CLIENT_KEY_FILE'] || undefined,
  };
}

/** Whether the words ask for JSON; known before parsing, so that usage errors are JSON too. */
export function wantsJson(argv: readonly string[]): boolean {
  const words = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  return words.some(
    (word, index) =>
      /^(-o|--output=)json$/.test(word) || ((word === '-o' || word === '--output') && words[index + 1] === 'json'),
  );
}

async function linesOf(fd: number): Promise<string[]> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of createReadStream('', { fd, autoClose: false })) chunks.push(chunk as Buffer);
  } catch (cause) {
    throw new KeysteadError('USAGE', `cannot read file descriptor ${fd}: ${messageOf(cause)}`, { cause });
  }
  return Buffer.concat(chunks).toString('utf8').split(/\r?\n/);
}

/** Commander throws instead of exiting, and leaves the printing of errors to explain(). */
function quiet(command: Command): void {
  command.exitOverride().configureOutput({ outputError: () => undefined });
  command.showHelpAfterError(false);
  for (const child of command.commands) quiet(child);
}

function explain(ctx: CliContext, program: Command, thrown: unknown): number {
  if (thrown instanceof Interrupted) return INTERRUPTED;
  if (thrown instanceof CommanderError) {
    if (thrown.exitCode === 0) return 0;
    if (thrown.code === 'commander.help') return EXIT_CODE.USAGE;
    return fail(ctx, 'USAGE', thrown.message.replace(/^error: /, ''), `${pathOf(program, ctx.argv)} --help`);
  }
  if (thrown instanceof CommandFailure)
    return fail(ctx, thrown.code, thrown.message, thrown.next ?? helpFor(ctx, program, thrown.code));
  if (thrown instanceof KeysteadError)
    return fail(ctx, thrown.code, thrown.message, helpFor(ctx, program, thrown.code));
  return fail(ctx, 'INTERNAL', `kp met something unexpected: ${messageOf(thrown)}`, undefined);
}

/** A usage error without a better idea points at the help. */
function helpFor({ argv }: CliContext, program: Command, code: ErrorCode): string | undefined {
  return code === 'USAGE' ? `${pathOf(program, argv)} --help` : undefined;
}

/** The command that the words name, as far as they do. */
function pathOf(program: Command, argv: readonly string[]): string {
  let command = program;
  for (const word of argv) {
    const child = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (!child) break;
    command = child;
  }
  const names: string[] = [];
  for (let at: Command | null = command; at; at = at.parent) names.unshift(at.name());
  return names.join(' ');
}

function fail(ctx: CliContext, code: ErrorCode, message: string, next: string | undefined): number {
  if (ctx.json) ctx.err(JSON.stringify({ error: { code, message, ...(next !== undefined && { next }) } }));
  else ctx.err(['FAILED', message, ...(next === undefined ? [] : [`Next: ${next}`])].join('\n'));
  return EXIT_CODE[code];
}

function versionOf(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
