import { dumpDatabase } from './database/dump.js';
import { audited, runOnDatabase } from './database-command.js';

/** `keystead backup FILE`. The line in the audit log comes first, so that the backup holds it. */
export function serve(): Promise<void> {
  return runOnDatabase('backup FILE', async (target, _inUse, file) => {
    await audited(target, { act: 'database.backup', outcome: 'success', by: { name: 'keystead backup' } });
    const { rows, sha256 } = await dumpDatabase(target, file);
    return `${rows} rows are in ${file}, SHA-256 ${sha256}`;
  });
}
