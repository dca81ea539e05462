import { missingIn, nameOf, type OpenedFile, stillToSign } from './command-file.js';
import { LABELS, wordsFor } from './command-words.js';
import { type CliContext, printResult } from './context.js';
import { commandLine } from './shell.js';
import { listing, table } from './table.js';

const MINUTE_MS = 60_000;

/** Everything that is known of a command file, as -o json prints it. */
export function commandJson(opened: OpenedFile, now: Date): object {
  const { path, file, targets } = opened;
  const { payload, digest } = file.command;
  const { op, plan, instance, issuedAt, expiresAt } = payload;
  return {
    file: path,
    operation: LABELS[op],
    op,
    does: wordsFor(op, payload.args),
    plan,
    digest,
    instance,
    units: targets.map(({ id, serial, counter, known, needed, at }) => ({
      id,
      serial,
      counter,
      receiptKeyKnown: known,
      signaturesNeeded: needed,
      factsOf: at,
    })),
    signedBy: file.signers.map((kid) => ({ name: nameOf(opened, kid) ?? null, fingerprint: kid })),
    missing: missingIn(opened),
    canSign: stillToSign(opened),
    issuedAt,
    expiresAt,
    expired: isExpired(opened, now),
  };
}

export function isExpired({ file }: OpenedFile, now: Date): boolean {
  return Date.parse(file.command.payload.expiresAt) <= now.getTime();
}

/** The command in plain words: what it does, to which units, who signed, what is missing, when it expires, what is next. */
export function printCommand(ctx: CliContext, opened: OpenedFile, first: readonly string[] = []): void {
  const now = ctx.now();
  printResult(ctx, commandJson(opened, now), () => [...first, ...describe(opened, now)].join('\n'));
}

function describe(opened: OpenedFile, now: Date): string[] {
  const { path, file, targets } = opened;
  const { op, args, plan, instance, expiresAt } = file.command.payload;
  const signed = file.signers.map((kid) => [`  ${nameOf(opened, kid) ?? 'nobody whom the units know'}`, kid]);
  return [
    `On each crypto unit below, this command ${wordsFor(op, args)}.`,
    '',
    listing([
      ['Operation', LABELS[op]],
      ['InstanceID', instance],
      ['Plan', plan],
      ['Digest', file.command.digest],
      ['Expires', `${expiresAt} (${timeLeft(expiresAt, now)})`],
    ]),
    '',
    table(
      ['CryptoUnit', 'Serial', 'Command', 'Signatures', 'Receipt key'],
      targets.map(({ id, serial, counter, needed, known }) => [
        id,
        serial,
        `number ${counter}`,
        `${file.signers.length} of ${needed}`,
        known ? 'known here' : 'not known here',
      ]),
    ),
    '',
    ...(signed.length === 0 ? ['Nobody has signed it.'] : ['Signed by', table(['  Name', 'Fingerprint'], signed)]),
    missingSentence(opened),
    `Next: ${nextStep(opened, path, now)}`,
  ];
}

function missingSentence(opened: OpenedFile): string {
  const missing = missingIn(opened);
  if (missing === 0) return 'No signature is missing.';
  return `Missing: ${missing} more signature${missing > 1 ? 's' : ''}, of: ${stillToSign(opened).join(', ') || 'nobody whom all units know'}`;
}

function nextStep(opened: OpenedFile, path: string, now: Date): string {
  if (isExpired(opened, now)) return 'make the command again; this one has expired';
  if (missingIn(opened) === 0) return commandLine(['kp', 'command', 'submit', path], {});
  return `${commandLine(['kp', 'command', 'sign', path], {})} --auth '[{"NAME":"FILE"}]'`;
}

function timeLeft(expiresAt: string, now: Date): string {
  const minutes = Math.floor((Date.parse(expiresAt) - now.getTime()) / MINUTE_MS);
  if (minutes < 0) return 'it has expired';
  return minutes < 60 ? `in ${minutes} min` : `in ${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
