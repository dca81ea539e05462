import { Command, InvalidArgumentError, Option } from 'commander';
import { isUuid } from '../shared/uuid.js';
import { usage } from './context.js';

/** Options that every command has. */
export interface CommonOptions {
  readonly output: 'table' | 'json';
  readonly instanceId?: string;
}
/** Options of every command that administrators sign. */
export interface SignedOptions extends CommonOptions {
  readonly auth?: string;
  readonly cu?: string;
  readonly unitKey?: readonly string[];
  /** Where to write the command instead of sending it. */
  readonly signOnly?: string;
  /** Show what would be done, and send nothing. */
  readonly plan?: boolean;
}

/** Options of the commands that name a key, or look into one key ring. */
export interface KeyRingOptions extends CommonOptions {
  readonly keyRing?: string;
}

const AFTER = `
With -o json the result is one JSON value on stdout; warnings and errors are JSON objects on stderr, one a line:
{"error":{"code","message","next"?}}. Exit codes: 0 ok, 1 failed, 2 usage, 3 some crypto units failed,
4 authentication or signature, 5 something is not what it should be (a unit's key, a master key, a file).`;

/** A command with -i, -o and at least one example in its help. */
export function leaf(parent: Command, name: string, summary: string, ...examples: string[]): Command {
  return parent
    .command(name)
    .description(summary)
    .addOption(new Option('-i, --instance-id <id>', 'the instance; else KP_INSTANCE_ID, else the only one there is'))
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .addHelpText('after', `${examplesOf(examples)}\n${AFTER}`);
}

/** A command that only groups others; alone it prints its help as a usage error. */
export function group(parent: Command, name: string, summary: string, example: string): Command {
  return parent
    .command(name)
    .description(summary)
    .addHelpText('after', examplesOf([example]));
}

const examplesOf = (examples: readonly string[]) => `\nExamples:\n${examples.map((one) => `  $ ${one}`).join('\n')}`;

/** Adds --auth, --cu, --unit-key, --sign-only and --plan. */
export function signed(command: Command): Command {
  return command
    .option('--auth <json>', `signers, for all crypto units: '[{"ADMIN":"FILE#PASSPHRASE"}]', or @FILE`)
    .option(
      '--cu <json>',
      `units and their signers: '[{"CryptoUnitId":"ID","Auth":[{"ADMIN":"FILE#PASSPHRASE"}]}]', or @FILE`,
    )
    .addOption(unitKeyOption())
    .option('--sign-only <file>', 'write the command to a new file, for others to sign, instead of sending it')
    .addOption(planOption());
}

/** `--plan`, of every command that changes several units. */
export function planOption(): Option {
  return new Option('--plan', 'show what it would do to each crypto unit; nothing is sent');
}

/** `--unit-key FINGERPRINT`, several times or with commas: receipt keys that the person has compared. */
export function unitKeyOption(): Option {
  return new Option(
    '--unit-key <fingerprint>',
    'receipt key of a crypto unit that you compared; may be repeated',
  ).argParser((text: string, before: readonly string[] = []) => [...before, ...splitList(text).map(toFingerprint)]);
}

/** `--ids a,b`, or repeated. */
export function idsOption(): Option {
  return new Option('--ids <list>', 'only these crypto units: ID,ID or repeated').argParser(
    (text: string, before: readonly string[] = []) => [...before, ...splitList(text).map(toUuid)],
  );
}

/** A command about keys: --key-ring, and with `argument` the key itself, by id or alias. */
export function keyLeaf(parent: Command, name: string, summary: string, ...examples: string[]): Command {
  return leaf(parent, name, summary, ...examples)
    .argument('<key>', 'id or alias of the key', toKey)
    .addOption(keyRingOption());
}

/** `--key-ring RING`; without it the server looks in every ring, and makes new keys in the ring `default`. */
export function keyRingOption(flags = '--key-ring <ring>'): Option {
  return new Option(flags, 'the key ring').argParser(toKeyRing);
}

/** Options of the commands that switch something. */
export interface SwitchOptions {
  readonly enable?: boolean;
  readonly disable?: boolean;
}

/** True for --enable, false for --disable. USAGE for neither and for both. */
export function onOff({ enable, disable }: SwitchOptions): boolean {
  if (enable !== disable) return enable === true;
  throw usage('give either --enable or --disable');
}

/** SHA256 or SHA1, in any case. */
export function hashOption(flags: string, about: string): Option {
  return new Option(flags, `${about}: SHA256 or SHA1`).default('SHA256').argParser((text: string) => {
    const hash = text.toUpperCase().replace('-', '');
    if (hash === 'SHA256' || hash === 'SHA1') return hash;
    throw new InvalidArgumentError('It must be SHA256 or SHA1.');
  });
}

/** An option that may be repeated or hold several words with commas between them. */
export function listOption(flags: string, about: string, check: (word: string) => string = (word) => word): Option {
  return new Option(flags, about).argParser((text: string, before: readonly string[] = []) => [
    ...before,
    ...splitList(text).map(check),
  ]);
}

/** `--NAME FILE` with IBM's other spelling of it, which help does not show. */
export function fileOption(command: Command, name: string, synonym: string, about: string): Command {
  return command
    .option(`--${name} <file>`, about)
    .addOption(new Option(`--${synonym} <file>`, `the same as --${name}`).hideHelp());
}

/** The file of the two spellings. USAGE when neither or both are there. */
export function oneFile(options: { file?: string; credential?: string }, name: 'file' | 'credential'): string {
  const { file, credential } = options;
  if (file !== undefined && credential !== undefined)
    throw usage('--file and --credential mean the same; give one of them');
  const given = file ?? credential;
  if (given === undefined) throw usage(`--${name} FILE is missing`);
  if (given.length < 1 || given.length > 255) throw usage(`--${name} must have 1 to 255 characters`);
  return given;
}

/** The parts of `a,b`, without blanks around them. */
export function splitList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** An id in lower case; commander turns the refusal into a usage error. */
export function toUuid(text: string): string {
  if (!isUuid(text)) throw new InvalidArgumentError('An id looks like 6e0aead3-9d44-4c92-a4c4-f7a1ab415420.');
  return text.toLowerCase();
}

/** 64 hex digits in lower case; colons and blanks, as people copy them, are allowed. */
export function toFingerprint(text: string): string {
  const digits = text.replace(/[:\s-]/g, '').toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(digits)) throw new InvalidArgumentError('A fingerprint has 64 hex digits.');
  return digits;
}

/** A whole number within the bounds. */
export function toNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    if (/^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most) return Number(text);
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}

/** An id in lower case, or an alias as it is. */
export function toKey(text: string): string {
  if (isUuid(text)) return text.toLowerCase();
  return toAlias(text);
}

export function toAlias(text: string): string {
  if (/^[A-Za-z0-9_-]{2,90}$/.test(text)) return text;
  throw new InvalidArgumentError('It is an id, or an alias: 2 to 90 letters, digits, hyphens and underscores.');
}

export function toKeyRing(text: string): string {
  if (/^[A-Za-z0-9_-]{2,100}$/.test(text)) return text;
  throw new InvalidArgumentError('A key ring has 2 to 100 letters, digits, hyphens and underscores.');
}

/** A day or a moment of RFC 3339, as a moment in UTC. */
export function toMoment(text: string): string {
  const date = new Date(text);
  const known = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/i.test(text);
  if (known && !Number.isNaN(date.getTime())) return date.toISOString();
  throw new InvalidArgumentError('A date looks like 2031-12-31 or 2031-12-31T23:59:59Z.');
}

/** `true` or `false`. */
export function toYesNo(text: string): boolean {
  if (text === 'true') return true;
  if (text === 'false') return false;
  throw new InvalidArgumentError('It must be true or false.');
}
