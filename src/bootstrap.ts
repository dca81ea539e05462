import { ApiKey } from './access/api-key.entity.js';
import { BootstrapKey } from './access/bootstrap-key.js';
import { AuditLine } from './audit/audit-line.entity.js';
import { AuditLog } from './audit/audit-log.js';
import { makeLog } from './config/log.js';
import { LogOutput } from './config/log-output.js';
import { ownDirectory } from './config/own-directory.js';
import { dataSourceOptions, openDatabase } from './database/database.module.js';
import { runOnDatabase } from './database-command.js';

const STDERR = 2;

/** `keystead bootstrap`: a new first Manager key, on the server's host, when nobody has a Manager key any more. */
export function serve(): Promise<void> {
  return runOnDatabase('bootstrap', async (target, _inUse, _operand, config) => {
    ownDirectory(config.sharedDir, 'KEYSTEAD_SHARED_DIR');
    const options = dataSourceOptions(target, { warn: () => undefined });
    const db = await openDatabase({ ...options, entities: [ApiKey, AuditLine] });
    try {
      const log = makeLog(config, new LogOutput(STDERR));
      const file = await new BootstrapKey(db, new AuditLog(db), config, log).renew({ name: 'keystead bootstrap' });
      const once = config.profile === 'production';
      return [
        `a new bootstrap key is in ${file}${once ? '; it lives for 24 hours and makes one Manager key' : ''}.`,
        `Next: KP_API_KEY_FILE=${file} kp api-key create NAME --role Manager --file FILE`,
      ].join('\n');
    } finally {
      await db.destroy();
    }
  });
}
