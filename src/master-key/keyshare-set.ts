import { availableParallelism } from 'node:os';
import { needs } from '../shared/errors.js';
import type { Secret } from '../shared/secret.js';
import { DerivedKeys } from './derive.js';
import { type Keyshare, openKeyshare, type ShareSet, sameSet } from './keyshare-file.js';
import { combineShares } from './shares.js';

/**
 * The files are different shares of one set of one instance. What is wrong is told before any passphrase is tried.
 * Throws KEYSHARE_INVALID naming the files.
 */
export function assertOneSet(shares: readonly Keyshare[]): ShareSet {
  const sets: Keyshare[][] = [];
  for (const share of shares) {
    const group = sets.find(([first]) => first && sameSet(first, share));
    if (group) group.push(share);
    else sets.push([share]);
  }
  sets.sort((a, b) => b.length - a.length);
  const [[most] = [], [odd] = []] = sets;
  needs(most, 'KEYSHARE_INVALID', 'there is no key share to use');
  if (odd) {
    const strangers = sets.slice(1).flat();
    const files = sets[1]?.length === sets[0]?.length ? shares : strangers;
    needs(false, 'KEYSHARE_INVALID', `${files.map(({ file }) => file).join(', ')}: ${differenceOf(most.set, odd.set)}`);
  }
  for (const share of shares) {
    const twin = shares.find((other) => other !== share && other.index === share.index);
    needs(!twin, 'KEYSHARE_INVALID', `${share.file} and ${twin?.file} are the same share, number ${share.index}`);
  }
  return most.set;
}

/** Throws KEYSHARE_INVALID, naming the files, when they are fewer than the set's threshold. */
export function assertEnough(shares: readonly Keyshare[]): void {
  const { t = 0, n = 0, name = '' } = shares[0]?.set ?? {};
  const files = shares.map(({ file }) => file).join(', ');
  needs(
    shares.length >= t,
    'KEYSHARE_INVALID',
    `${files}: ${shares.length} of the ${t} key shares that master key ${name} needs; give ${t - shares.length} more of its ${n} files`,
  );
}

/** The shares decrypted, in the order of the files. Wiped again when one of them does not open. */
export async function openAll(shares: readonly Keyshare[], passphrases: readonly Secret[]): Promise<Secret[]> {
  const opened: Secret[] = [];
  try {
    await inTurns(shares, async (share, at) => {
      opened[at] = await openKeyshare(share, passphrases[at] as Secret);
    });
    return opened;
  } catch (cause) {
    for (const secret of opened) secret?.[Symbol.dispose]();
    throw cause;
  }
}

/**
 * The master key of opened shares of one set, proved by its MKVP. Spare shares are checked against the others. Throws
 * KEYSHARE_INVALID.
 */
export function combineSet(set: ShareSet, opened: readonly Secret[]): Secret {
  const key = combineShares(
    opened.map(({ bytes }) => bytes),
    set.t,
  );
  const mkId = Buffer.from(set.mkId, 'hex');
  using keys = new DerivedKeys(key, mkId);
  const same = keys.mkvp(set.instance, mkId).toString('hex') === set.mkvp;
  if (!same) key[Symbol.dispose]();
  needs(same, 'KEYSHARE_INVALID', `the shares combine to another key than MKVP ${set.mkvp}; do not use them`);
  return key;
}

/** Works through the items, two at a time at most: scrypt takes 128 MiB for each. */
export async function inTurns<T>(items: readonly T[], work: (item: T, at: number) => Promise<void>): Promise<void> {
  const queue = items.entries();
  const worker = async () => {
    for (const [at, item] of queue) await work(item, at);
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
}

function differenceOf(a: ShareSet, b: ShareSet): string {
  if (a.instance !== b.instance)
    return `of instance ${b.instance}, the others of ${a.instance}; use files of one instance`;
  if (a.mkId !== b.mkId) return 'shares of different master keys; use files of one';
  if (a.setId !== b.setId) return 'shares of different splits of one master key; use files that were made together';
  return 'the files disagree about the set that they belong to; at least one was forged';
}
