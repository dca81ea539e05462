import { type AuditEntry, prepared } from './audit/audit-entry.js';
import { AuditLane } from './audit/audit-lane.js';
import { type Config, loadConfig } from './config/config.js';
import { makeLog } from './config/log.js';
import { LogOutput } from './config/log-output.js';
import { dataSourceOptions } from './database/database.module.js';
import { type InUse, onDatabase } from './database/database-job.js';
import type { DatabaseTarget } from './database/database-target.js';
import { EXIT_CODE, KeysteadError, messageOf } from './shared/errors.js';

const STDERR = 2;

type Work = (target: DatabaseTarget, inUse: InUse, operand: string, config: Config) => Promise<string>;

/** One command on the database, `keystead USAGE`: prints what the work says. Exit codes as in shared/errors.ts. */
export async function runOnDatabase(usage: string, work: Work): Promise<void> {
  process.umask(0o077);
  try {
    const operands = process.argv.slice(2);
    const wanted = usage.split(' ').length - 1;
    if (operands.length !== wanted) throw new KeysteadError('USAGE', `usage: keystead ${usage}`);
    const config: Config = { ...loadConfig(), logLevel: 'error' };
    const said = await onDatabase(config, makeLog(config, new LogOutput(STDERR)), (target, inUse) =>
      work(target, inUse, operands[0] ?? '', config),
    );
    process.stdout.write(`OK\n${said}\n`);
  } catch (cause) {
    process.stderr.write(`FAILED\n${messageOf(cause)}\n`);
    process.exitCode = cause instanceof KeysteadError ? EXIT_CODE[cause.code] : 1;
  }
}

/** One line in the audit log of the database. */
export async function audited(target: DatabaseTarget, entry: AuditEntry): Promise<void> {
  const options = dataSourceOptions(target, { warn: () => undefined });
  await new AuditLane({ options }, () => undefined).write(prepared(entry));
}
