import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findSoftHsm } from '../../src/pkcs11/find-module.js';
import { compiled } from '../compiled.js';
import type { World } from '../world.js';

/** One thing that the module in fault.c does wrong, to which function (`*`: every). */
export interface Fault {
  readonly fn: string;
  readonly act: 'rv' | 'flip' | 'slow' | 'hang' | 'kill';
  /** The CKR_ code of `rv`, the milliseconds of `slow`. */
  readonly number?: number;
  /** How often; 0 or not given: always. */
  readonly times?: number;
  /** So many calls go through first. */
  readonly skip?: number;
}

/** As many sessions as a small device has. */
const MOST_SESSIONS = '8';

/** Builds the module into a directory; the settings of a server whose units use it. */
export function faultyModule(directory: string): Record<string, string> {
  const target = findSoftHsm();
  if (target === undefined) throw new Error('SoftHSM2 is not installed');
  return {
    KEYSTEAD_SOFTHSM_MODULE: compiled('fault-module/fault.c', directory),
    FAULT_TARGET: target,
    FAULT_MOST_SESSIONS: MOST_SESSIONS,
  };
}

/** From the next call on the unit's module does this wrong: for each call the first fault that is for it. */
export function inject(world: World, unit: string, ...faults: readonly Fault[]): void {
  const lines = faults.map(({ fn, act, number = 0, times = 0, skip = 0 }) => `${fn} ${act} ${number} ${times} ${skip}`);
  rmSync(join(world.unitDir(unit), 'fault-met'), { force: true });
  writeFileSync(join(world.unitDir(unit), 'fault'), lines.join('\n'));
}

/** The functions to which the module did something wrong since the last `inject`, one for each time. */
export function met(world: World, unit: string): string[] {
  const file = join(world.unitDir(unit), 'fault-met');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
}

/** The module does right again. */
export function heal(world: World, unit: string): void {
  rmSync(join(world.unitDir(unit), 'fault'), { force: true });
}
