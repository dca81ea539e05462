import { randomBytes } from 'node:crypto';
import { assertPassphrase, KEYSHARE_PASSPHRASE } from '../admins/passphrase.js';
import { equalBytes } from '../shared/bytes.js';
import { needs } from '../shared/errors.js';
import type { Secret } from '../shared/secret.js';
import { blind, digestOf, readKeyshare, type ScryptCost, type ShareSet, sealKeyshare } from './keyshare-file.js';
import { assertOneSet, combineSet, inTurns, openAll } from './keyshare-set.js';
import { NewFiles } from './new-files.js';
import { assertCounts, splitMasterKey } from './shares.js';

export interface Target {
  readonly file: string;
  readonly passphrase: Secret;
}
/** What is known of a master key before it is split. */
export type KeyFacts = Omit<ShareSet, 'setId' | 'n' | 'digests' | 'splitAt'>;

/**
 * Splits the key into one new file per target and proves them before they get their names: each is read back from the
 * disk, decrypted with its passphrase, and all are combined again. On any error, and when the process exits meanwhile,
 * only the files made here are removed. Throws USAGE, FILE_EXISTS or FILE_INVALID.
 */
export async function makeSet(
  key: Secret,
  facts: KeyFacts,
  to: readonly Target[],
  cost: ScryptCost,
): Promise<ShareSet> {
  const files = placesFor(to, facts.t);
  const abandon = () => files.abandon();
  process.once('exit', abandon);
  try {
    const set = await writeSet(key, facts, to, cost, files);
    await proveSet(key, set, to, files);
    files.publish();
    return set;
  } catch (cause) {
    abandon();
    throw cause;
  } finally {
    process.off('exit', abandon);
  }
}

/** Free places for the files of t of n shares. Throws as makeSet does, before there is anything to split. */
export function placesFor(to: readonly Target[], t: number): NewFiles {
  assertCounts(to.length, t);
  for (const { file, passphrase } of to) assertPassphrase(passphrase, KEYSHARE_PASSPHRASE, file);
  return new NewFiles(to.map(({ file }) => file));
}

async function writeSet(
  key: Secret,
  facts: KeyFacts,
  to: readonly Target[],
  cost: ScryptCost,
  files: NewFiles,
): Promise<ShareSet> {
  const setId = randomBytes(16).toString('hex');
  const blinded = splitMasterKey(key, to.length, facts.t).map((share) => {
    using plain = share;
    return blind(plain);
  });
  try {
    const digests = blinded.map((secret, at) => digestOf(setId, at + 1, secret));
    const set: ShareSet = { ...facts, setId, n: to.length, splitAt: new Date().toISOString(), digests };
    await inTurns(to, async ({ passphrase }, at) => {
      files.write(at, await sealKeyshare(set, at + 1, blinded[at] as Secret, passphrase, cost));
    });
    return set;
  } finally {
    for (const secret of blinded) secret[Symbol.dispose]();
  }
}

async function proveSet(key: Secret, set: ShareSet, to: readonly Target[], files: NewFiles): Promise<void> {
  const written = to.map(({ file }, at) => readKeyshare(files.read(at), file));
  assertOneSet(written);
  const opened = await openAll(
    written,
    to.map(({ passphrase }) => passphrase),
  );
  try {
    using again = combineSet(set, opened);
    const same = written.length === set.n && equalBytes(again.bytes, key.bytes);
    needs(same, 'INTERNAL', 'the key share files do not combine to the master key; they were removed');
  } finally {
    for (const secret of opened) secret[Symbol.dispose]();
  }
}
