import { loadDump } from './database/load-dump.js';
import { audited, runOnDatabase } from './database-command.js';
import { needs } from './shared/errors.js';

/** `keystead restore FILE`: into a database that is empty, before the server is started on it. */
export function serve(): Promise<void> {
  return runOnDatabase('restore FILE', async (target, inUse, file) => {
    needs(inUse !== true, 'CONFIG_INVALID', 'a server runs on this data directory; stop it first');
    const { rows, sha256 } = await loadDump(target, file);
    await audited(target, {
      act: 'database.restore',
      outcome: 'success',
      by: { name: 'keystead restore' },
      detail: { sha256 },
    });
    return [
      `${rows} rows of ${file} are in the database.`,
      'Start the server. If crypto units have seen a newer database it does not serve: kp restore accept',
    ].join('\n');
  });
}
