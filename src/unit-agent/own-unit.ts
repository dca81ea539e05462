import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { ownDirectory } from '../config/own-directory.js';
import { findSoftHsm } from '../pkcs11/find-module.js';
import { readIfThere, writeDurably } from '../shared/durable-file.js';
import { needs } from '../shared/errors.js';
import { UnitDir } from './unit-dir.js';

/** What the command line says about the token of an agent that runs by itself; nothing: a SoftHSM token of its own. */
export interface TokenChoice {
  readonly module?: string;
  readonly serial?: string;
  readonly label?: string;
  readonly parameters?: string;
  readonly pinFile?: string;
  readonly recordStore?: 'token' | 'file';
}

/**
 * The directory of an agent that runs by itself, made if it is not there. The unit gets its id once, here; what the
 * command line says about the token is written down at each start, what it does not say stays as it was.
 * Throws CONFIG_INVALID.
 */
export function ownUnit(path: string, choice: TokenChoice): UnitDir {
  ownDirectory(path, '--unit-dir');
  const text = readIfThere(join(path, 'unit.json'))?.toString('utf8');
  const before = text === undefined ? { v: 1, id: randomUUID() } : new UnitDir(path).config;
  const next = {
    provider: 'softhsm',
    ...before,
    ...(choice.pinFile !== undefined && { provider: 'generic' }),
    ...choice,
  };
  const module = next.module ?? findSoftHsm();
  needs(
    module,
    'CONFIG_INVALID',
    'SoftHSM2 is not installed; install softhsm2, or name a PKCS#11 module with --module',
  );
  const prepared = next.serial !== undefined || next.label !== undefined;
  needs(
    next.provider === 'softhsm' || prepared,
    'CONFIG_INVALID',
    '--pin-file is for a prepared token: name it with --token-serial or --token-label',
  );
  const json = `${JSON.stringify({ ...next, module }, null, 2)}\n`;
  if (json !== text) writeDurably(join(path, 'unit.json'), json);
  return new UnitDir(path);
}
