import { randomUUID } from 'node:crypto';
import { rename, unlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CommandFile } from '../admins/command-file.js';
import { lifetimeFor, signaturesNeeded } from '../admins/quorum.js';
import { readReceipt } from '../admins/receipt.js';
import { fromBase64 } from '../shared/bytes.js';
import { KeysteadError, needs } from '../shared/errors.js';
import type { SignedOp } from '../shared/unit-state.js';
import type { RecordFacts } from '../unit-agent/protocol.js';
import { type CliContext, usage } from './context.js';
import { createPrivate, readText, syncDirectory } from './files.js';
import type { KnownUnits } from './known-units.js';
import { type CommandArguments, type Prepared, payloadFor, type ReadyUnit } from './signed-operation.js';
import type { Signing } from './signing.js';
import { fingerprint, keyChanged, recordOf } from './unit-key.js';

/** A unit that a command file is for, as it signed its facts when the command was made. */
export interface TargetInFile {
  readonly id: string;
  readonly serial: string;
  readonly epoch: string;
  /** The number that the command has on this unit. */
  readonly counter: number;
  readonly spki: Buffer;
  /** Its receipt key is one that is known here; if not, the file may say of the unit what it likes. */
  readonly known: boolean;
  readonly record: RecordFacts;
  /** When the unit said so. */
  readonly at: string;
  readonly needed: number;
}
export interface OpenedFile {
  readonly path: string;
  readonly file: CommandFile;
  readonly targets: readonly TargetInFile[];
}

/**
 * Reads a command file and checks all that can be checked without a server: each signature, and that each unit signed the
 * facts that the command is built on. FILE_INVALID, COMMAND_MALFORMED, SIGNATURE_INVALID, RECEIPT_INVALID; UNIT_KEY_CHANGED
 * when a unit is known here with another receipt key.
 */
export async function openCommandFile(path: string, known: KnownUnits): Promise<OpenedFile> {
  const file = CommandFile.parse(await readText(path, 'command file'));
  const { payload } = file.command;
  const targets: TargetInFile[] = [];
  for (const unit of payload.units) {
    const { spki, receipt } = factsOf(file, unit.id);
    const fits =
      receipt.op === 'facts' &&
      receipt.unit === unit.id &&
      receipt.instance === payload.instance &&
      receipt.serial === unit.serial &&
      receipt.epoch === unit.epoch &&
      receipt.counter + 1 === unit.counter;
    needs(fits, 'RECEIPT_INVALID', `the facts of crypto unit ${unit.id} in ${path} are not those of the command`);
    const pin = await known.find(unit.id);
    const shown = fingerprint(spki);
    if (pin && pin.fingerprint !== shown) throw keyChanged(unit, pin.fingerprint, shown);
    const record = recordOf(receipt);
    const needed = signaturesNeeded(payload, record);
    targets.push({ ...unit, spki, known: pin !== undefined, record, at: receipt.at, needed });
  }
  return { path, file, targets };
}

function factsOf(file: CommandFile, unitId: string) {
  for (const { receiptKey, receipt: text } of file.unitFacts) {
    const spki = fromBase64(receiptKey, 'a receipt key in the command file');
    const receipt = readReceipt(text, spki);
    if (receipt.unit === unitId) return { spki, receipt };
  }
  throw new KeysteadError(
    'FILE_INVALID',
    `the file holds no facts of crypto unit ${unitId}; make the command again with --sign-only`,
  );
}

/** How many signatures are still missing: the largest number over the units. */
export function missingIn({ file, targets }: OpenedFile): number {
  return Math.max(...targets.map(({ needed }) => Math.max(0, needed - file.signers.length)));
}

/** The administrators of every unit of the command who have not signed, by name; those who can complete it. */
export function stillToSign({ file, targets }: OpenedFile): string[] {
  const [first, ...others] = targets;
  const candidates = first?.record.admins.filter(({ kid }) =>
    others.every(({ record }) => record.admins.some((admin) => admin.kid === kid)),
  );
  return (candidates ?? []).filter(({ kid }) => !file.signers.includes(kid)).map(({ name }) => name);
}

/** What the units call the key; undefined when it is an administrator of none of them. */
export function nameOf({ targets }: OpenedFile, kid: string): string | undefined {
  return targets.flatMap(({ record }) => record.admins).find((admin) => admin.kid === kid)?.name;
}

/**
 * Makes the command for all its units, signs it with the keys that are there, and writes it to the new file of --sign-only
 * (0600). It lives as long as the strictest of the units allows.
 */
export async function writeCommandFile(
  ctx: CliContext,
  { targets, options, trust }: Signing,
  op: SignedOp,
  args: CommandArguments,
  { ready, failed }: Prepared,
): Promise<OpenedFile> {
  const path = options.signOnly ?? '';
  const [first] = failed.flatMap((outcome) => ('error' in outcome ? [outcome] : []));
  if (first) {
    const way = targets.length > 1 ? '; --cu can leave the unit out' : '';
    throw new KeysteadError(first.error.code, `crypto unit ${first.unitId}: ${first.error.message}${way}`);
  }
  const [one, ...more] = ready as [ReadyUnit, ...ReadyUnit[]];
  const same = more.every(({ signers }) => sameSigners(signers, one.signers));
  if (!same)
    throw usage('with --sign-only the same administrators sign for all units of one file; make a file for each');
  const lifetime = Math.min(...ready.map(({ record }) => lifetimeFor(record.threshold)));
  const payload = payloadFor([one, ...more], { op, args }, randomUUID(), ctx.now(), lifetime);
  const facts = ready.map(({ spki, text }) => ({ receiptKey: spki.toString('base64'), receipt: text }));
  let file = CommandFile.make(payload, facts);
  for (const { key } of one.signers) file = file.signedBy(key);
  await createPrivate(path, file.text);
  return openCommandFile(path, trust.known);
}

function sameSigners(some: ReadyUnit['signers'], others: ReadyUnit['signers']): boolean {
  return some.length === others.length && some.every(({ kid }) => others.some((other) => other.kid === kid));
}

/** Puts the file in the place of the one it was read from, as a whole: it is never half written. */
export async function replaceCommandFile(path: string, file: CommandFile): Promise<void> {
  const fresh = `${path}.${randomUUID()}`;
  await createPrivate(fresh, file.text);
  try {
    await rename(fresh, path);
  } catch (cause) {
    await unlink(fresh);
    throw cause;
  }
  await syncDirectory(dirname(resolve(path)));
}
