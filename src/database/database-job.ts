import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../config/config.js';
import { ownDirectory } from '../config/own-directory.js';
import { lockDirectory } from '../shared/directory-lock.js';
import type { DatabaseTarget } from './database-target.js';
import { endPostmaster, PostgresLauncher } from './postgres-launcher.js';

/** Whether the database belongs to a server that runs now; null when that cannot be known. */
export type InUse = boolean | null;

/**
 * A job on the database from outside of the server: on the one of KEYSTEAD_DATABASE_URL, or on the embedded one, which
 * is started for it when no server runs, and stopped again.
 */
export async function onDatabase<T>(
  config: Config,
  log: Logger,
  job: (target: DatabaseTarget, inUse: InUse) => Promise<T>,
): Promise<T> {
  if (config.databaseUrl !== undefined) return job({ url: config.databaseUrl }, null);
  const directory = join(config.dataDir, 'postgres');
  for (const [path, setting] of [
    [config.dataDir, 'KEYSTEAD_DATA_DIR'],
    [directory, 'KEYSTEAD_DATA_DIR'],
    [config.runtimeDir, 'KEYSTEAD_RUNTIME_DIR'],
  ] as const) {
    ownDirectory(path, setting);
  }
  const lock = await lockDirectory(realpathSync(config.dataDir), 'data');
  const launcher = new PostgresLauncher(realpathSync(directory), realpathSync(config.runtimeDir), log);
  try {
    const { pid, endpoint } = await launcher.bringUp();
    try {
      return await job(launcher.target(endpoint), lock === undefined);
    } finally {
      if (lock !== undefined) await endPostmaster(pid, 'SIGINT');
    }
  } finally {
    await lock?.release();
  }
}
