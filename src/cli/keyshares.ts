import { z } from 'zod';
import { KEYSHARE_PASSPHRASE } from '../admins/passphrase.js';
import type { MadeSet } from '../master-key/ceremony-request.js';
import { spell } from '../shared/check-value.js';
import type { Secret } from '../shared/secret.js';
import { jsonArgument } from './auth.js';
import { type CliContext, notice, usage } from './context.js';
import { assertCreatable, placeOf } from './files.js';
import { type FileReference, judgePassphrase, type PassphraseReader, parseReference, printable } from './passphrase.js';

/** A keyshare file and its passphrase, which the caller wipes. */
export interface Keyshare {
  readonly file: string;
  readonly passphrase: Secret;
}

export const KEYSHARES_ABOUT = `keyshare files: '["FILE#PASSPHRASE",…]', or @FILE`;
const EXAMPLE = `--keyshare-files '["share1.ks#env:SHARE1","share2.ks#env:SHARE2"]'`;
const List = z.array(z.string().min(1)).min(1).max(255);

/** The references in `["file#passphrase", …]` or @FILE. USAGE for another form or for one file twice. */
export async function parseKeyshares(text: string, flag = '--keyshare-files'): Promise<FileReference[]> {
  const { value, fromArgv } = await jsonArgument(text, flag);
  const list = List.safeParse(value);
  if (!list.success)
    throw usage(`${flag} must be a JSON list of "FILE#PASSPHRASE"`, EXAMPLE.replace('--keyshare-files', flag));
  return list.data.map((item) => parseReference(item, fromArgv));
}

/** Throws USAGE unless 2 ≤ t ≤ n ≤ 255; says so when every share is needed. */
export function judgeCounts(ctx: CliContext, n: number, t: number, flag = '--keyshare-files'): void {
  if (n < 2) throw usage(`a master key is split into 2 keyshares at least; ${flag} names ${n}`, EXAMPLE);
  if (t < 2 || t > n) throw usage(`--keyshare-minimum must be 2 to ${n}, the number of keyshare files; it is ${t}`);
  if (t < n) return;
  notice(
    ctx,
    `Warning: all ${n} keyshares will be needed: if one is lost, so is the master key. Give more files than the minimum.`,
  );
}

/** The files are there to be made: none exists, no file is named twice, each directory is safe to write in. */
export async function assertNewFiles(references: readonly FileReference[], flag = '--keyshare-files'): Promise<void> {
  for (const { file } of references) await assertCreatable(file);
  await assertDistinct(references, flag);
}

/** Throws USAGE when two references are to one file, however they are spelt. */
export async function assertDistinct(references: readonly FileReference[], flag: string): Promise<void> {
  const places = new Map<string, string>();
  for (const { file } of references) {
    const place = await placeOf(file);
    if (places.has(place)) throw usage(`${flag} names the file ${file} twice; each keyshare is a file of its own`);
    places.set(place, file);
  }
}

/** Reads every passphrase. A new one is asked for twice and judged; a keyshare without a passphrase does not exist. */
export async function readKeyshares(
  ctx: CliContext,
  passphrases: PassphraseReader,
  references: readonly FileReference[],
  isNew: boolean,
): Promise<Keyshare[]> {
  const shares: Keyshare[] = [];
  for (const { file, source, fromArgv } of references) {
    const passphrase = await passphrases.read(source, fromArgv, { subject: file, isNew });
    if (!passphrase) throw usage(`the keyshare ${file} must have a passphrase of 6 to 255 characters`, EXAMPLE);
    if (isNew) judgePassphrase(ctx, passphrase, KEYSHARE_PASSPHRASE, file);
    shares.push({ file, passphrase });
  }
  return shares;
}

/** The value of --keyshare-files without any literal passphrase. */
export function keyshareArgument(references: readonly FileReference[]): string {
  return JSON.stringify(references.map(printable));
}

/** The lines about a set of keyshare files that was just made. */
export function describeSet(made: MadeSet): string[] {
  return [
    `Master key ${made.name}: ${made.t} of these ${made.n} keyshares make it. Check value ${spellHex(made.mkvp)}`,
    ...made.files.map((file, index) => `  ${index + 1}  ${file}`),
  ];
}

/** A check value in hex, in groups of four, as people read it aloud. */
export const spellHex = (hex: string) => spell(Buffer.from(hex, 'hex'));
