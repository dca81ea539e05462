import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type DirectoryLock, lockDirectory } from '../shared/directory-lock.js';
import { isThere, renameDurably } from '../shared/durable-file.js';
import { KeysteadError, needs } from '../shared/errors.js';
import type { AgentTask } from './arguments.js';
import { PinAttempts } from './pin-attempts.js';
import { pinFromFile, resealPin, unsealedPin } from './pin-source.js';
import { makeSealKey, nextSealKey, SealKey } from './seal.js';
import { UnitDir } from './unit-dir.js';

type ResealTask = Extract<AgentTask, { kind: 'reseal' }>;

/**
 * Puts a new seal key in the place of one, for all units that are sealed to it, while their agents are stopped. The order
 * makes a kill at any point harmless: the new key, durable beside the old one; each PIN under the new key; the new key
 * under the old one's name. Until then agents open with both, and the same command goes on where it was.
 */
export async function reseal(task: ResealTask): Promise<string> {
  const units = unitsOf(task);
  const locks = await lockAll(units, task.dataDir);
  try {
    needs(isThere(task.sealKey), 'CONFIG_INVALID', `there is no seal key ${task.sealKey}; name the one in use`);
    const before = SealKey.open(task.sealKey, false);
    for (const unit of units) unsealedPin(unit, before)?.[Symbol.dispose](); // nothing is begun with a key that is not theirs
    const next = nextSealKey(task.sealKey);
    if (!isThere(next)) makeSealKey(next);
    const key = SealKey.open(task.sealKey, false);
    for (const unit of units) {
      resealPin(unit, key);
      renameNote(unit, key);
    }
    renameDurably(next, task.sealKey);
  } finally {
    await Promise.all(locks.map((lock) => lock.release()));
  }
  return `${units.length} crypto unit(s) are sealed to a new key in ${task.sealKey}; destroy every copy of the old one, back up the new one, and start the agents again`;
}

function unitsOf({ unitDirs, dataDir }: ResealTask): UnitDir[] {
  const home = dataDir === undefined ? undefined : join(dataDir, 'units');
  const paths = home === undefined || !isThere(home) ? unitDirs : readdirSync(home).map((id) => join(home, id));
  needs(paths.length > 0, 'CONFIG_INVALID', `${dataDir} holds no crypto unit; name the directories with --unit-dir`);
  return paths.map((path) => {
    needs(
      statSync(path, { throwIfNoEntry: false })?.uid === process.getuid?.(),
      'CONFIG_INVALID',
      `${path} is not a directory of yours; run this as the user of the agent`,
    );
    return new UnitDir(path);
  });
}

/** The data directory's lock too: a server starts agents whenever it likes. */
async function lockAll(units: readonly UnitDir[], dataDir: string | undefined): Promise<DirectoryLock[]> {
  const locks: DirectoryLock[] = [];
  const take = async (lock: Promise<DirectoryLock | undefined>, what: string) => {
    const taken = await lock;
    if (taken !== undefined) {
      locks.push(taken);
      return;
    }
    await Promise.all(locks.map((one) => one.release()));
    throw new KeysteadError('CONFIG_INVALID', `${what} runs; stop it first, and start it again afterwards`);
  };
  if (dataDir !== undefined) await take(lockDirectory(realpathSync(dataDir), 'data'), `a server on ${dataDir}`);
  for (const unit of units) await take(unit.lock(), `the agent of unit ${unit.id} (${unit.path})`);
  return locks;
}

/** A PIN that a prepared token refused stays refused under the new key. */
function renameNote(unit: UnitDir, key: SealKey): void {
  if (unit.config.provider !== 'generic' || !PinAttempts.isNoted(unit)) return;
  using pin = pinFromFile(unit).pin();
  new PinAttempts(unit, key, pin).rename();
}
