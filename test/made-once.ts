import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';

/** What is slow to make, and of which every spec may have a copy: one directory, and a database beside it. */
export interface Made {
  readonly dir: string;
  readonly instance: string;
  /** URL of the database, to be copied with TEMPLATE. Nobody connects to it. */
  readonly database: string;
}

const DEADLINE_MS = 170_000;

/**
 * Made by the first spec of the run that asks, in whichever worker; the others wait for it. It goes with the directory
 * of the run. When making it fails, everybody who asks hears why.
 */
export async function madeOnce(name: string, make: (dir: string) => Promise<Omit<Made, 'dir'>>): Promise<Made> {
  const place = join(process.env['TEST_RUN_DIR'] ?? '', name);
  const dir = join(place, 'made');
  const result = join(place, 'result.json');
  if (wasFirst(place)) {
    mkdirSync(dir);
    const said = await make(dir).catch((cause) => ({ failure: String(cause) }));
    writeFileSync(`${result}.new`, JSON.stringify(said));
    renameSync(`${result}.new`, result);
  }
  for (const deadline = Date.now() + DEADLINE_MS; !existsSync(result); await after(100)) {
    if (Date.now() > deadline) throw new Error(`${name} was not made in time`);
  }
  const { failure, ...made } = JSON.parse(readFileSync(result, 'utf8'));
  if (failure) throw new Error(failure);
  return { dir, ...made };
}

/** One `mkdir` succeeds, whoever else tries at the same time. */
function wasFirst(place: string): boolean {
  try {
    mkdirSync(place, { mode: 0o700 });
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw cause;
  }
}

/** A copy of the directory `from` in `to`, which may exist; the tokens' configurations name their new place. */
export function copyOf(from: string, to: string, units: readonly string[]): void {
  cpSync(from, to, { recursive: true });
  for (const unit of units) {
    const conf = join(to, 'data', 'units', unit, 'softhsm2.conf');
    const text = readFileSync(conf, 'utf8');
    writeFileSync(
      conf,
      text.replace(
        /^directories\.tokendir = .*$/m,
        `directories.tokendir = ${join(to, 'data', 'units', unit, 'tokens')}`,
      ),
    );
  }
}
