import type { Command } from 'commander';
import { AuditFile, type FoundCheckpoint, Tampered } from './audit-file.js';
import { type CliContext, CommandFailure, printResult } from './context.js';
import { KnownUnits } from './known-units.js';
import { type CommonOptions, leaf, unitKeyOption } from './options.js';

interface VerifyOptions extends CommonOptions {
  readonly unitKey?: readonly string[];
}

/** What can be said of an export that holds together. */
export interface Verdict {
  readonly file: string;
  /** Lines before the first, lines up to the last, and up to where a trusted unit signed. */
  readonly from: number;
  readonly size: number;
  readonly signed: number;
  readonly checkpoints: readonly (FoundCheckpoint & { readonly trusted: boolean })[];
}

export function addAuditVerify(audit: Command, ctx: CliContext): void {
  leaf(
    audit,
    'verify',
    'Check exports of the audit log, without a server: two of them also against each other',
    'kp audit verify audit.ndjson',
    'kp audit verify monday.ndjson friday.ndjson',
  )
    .argument('<file>', 'an export')
    .argument('[other]', 'another one, of the same log')
    .addOption(unitKeyOption())
    .action((file: string, other: string | undefined, options: VerifyOptions) => verify(ctx, [file, other], options));
}

async function verify(ctx: CliContext, paths: readonly (string | undefined)[], options: VerifyOptions): Promise<void> {
  const trusts = trustOf(ctx, options.unitKey ?? []);
  const read: { file: AuditFile; verdict: Verdict }[] = [];
  for (const path of paths) {
    if (path === undefined) continue;
    const file = await AuditFile.read(path);
    read.push({ file, verdict: await judge(path, file, trusts) });
  }
  const [first, second] = read;
  if (first && second) assertOneHistory(first.file, second.file);
  const verdicts = read.map(({ verdict }) => verdict);
  printResult(ctx, second ? verdicts : verdicts[0], () => ['OK', ...verdicts.map(wordsOf)].join('\n'));
}

type Trust = (checkpoint: FoundCheckpoint) => Promise<boolean>;

/** A unit key counts when kp knows it from the claim, or when the person compared it. */
function trustOf(ctx: CliContext, compared: readonly string[]): Trust {
  const known = new KnownUnits(ctx);
  return async ({ unitId, fingerprint }) =>
    compared.includes(fingerprint) || (await known.find(unitId))?.fingerprint === fingerprint;
}

/** Throws UNIT_KEY_UNKNOWN when no checkpoint in the file is signed by a unit key that counts: it proves nothing then. */
async function judge(path: string, file: AuditFile, trusts: Trust): Promise<Verdict> {
  const checkpoints: Verdict['checkpoints'][number][] = [];
  for (const one of file.checkpoints) checkpoints.push({ ...one, trusted: await trusts(one) });
  const trusted = checkpoints.filter((one) => one.trusted);
  if (trusted.length === 0) {
    const [any] = checkpoints;
    throw new CommandFailure(
      'UNIT_KEY_UNKNOWN',
      any
        ? `the keys that signed ${path} are not known here, so anybody may have made it: ${checkpoints.map(({ unitId, fingerprint }) => `unit ${unitId} ${fingerprint}`).join(', ')}`
        : `${path} holds no checkpoint of a crypto unit, so nothing proves what is in it; export it while a unit serves`,
      any && `kp audit verify ${path} --unit-key ${any.fingerprint}`,
    );
  }
  const signed = Math.max(...trusted.map(({ size }) => size));
  return { file: path, from: file.from, size: file.size, signed, checkpoints };
}

/** Throws Tampered, with the first line that differs, unless one is the continuation of the other. */
function assertOneHistory(a: AuditFile, b: AuditFile): void {
  const [from, to] = [Math.max(a.from, b.from), Math.min(a.size, b.size)];
  if (from > to) {
    throw new CommandFailure(
      'USAGE',
      `the files have no line in common: one ends with line ${to} and the other begins after line ${from}`,
    );
  }
  const same = (size: number) => a.rootAt(size)?.equals(b.rootAt(size) as Buffer) === true;
  if (same(to)) return;
  let [good, bad] = [from, to];
  if (!same(from))
    throw new Tampered(null, `the files are of two logs: they differ in the first ${from} lines already`);
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (same(middle)) good = middle;
    else bad = middle;
  }
  throw new Tampered(bad, 'here the two files part: they are two histories of one log, and units signed both');
}

function wordsOf({ file, from, size, signed, checkpoints }: Verdict): string {
  const strangers = checkpoints.filter(({ trusted }) => !trusted);
  return [
    `${file}: lines ${from + 1} to ${size} are one chain, and up to line ${signed} as crypto units signed it.`,
    ...checkpoints
      .filter(({ trusted }) => trusted)
      .map((one) => `  CryptoUnit ${one.unitId} signed ${one.size} lines at ${one.at}`),
    ...strangers.map(
      ({ unitId, fingerprint }) => `  CryptoUnit ${unitId} does not count: its key ${fingerprint} is not known here`,
    ),
  ].join('\n');
}
