import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { AuditLog } from '../audit/audit-log.js';
import { targetOf } from '../database/database-target.js';
import { dumpText } from '../database/dump.js';
import type { Permission } from '../shared/permissions.js';
import type { Caller } from './caller.js';

/** The text of a backup (database/dump-format.ts), in parts, which is read from the database while it is taken. */
export class TakeBackup extends Command<AsyncIterable<string>> {
  static readonly permission: Permission = 'database.backup';
  static readonly act = 'database.backup';
  constructor(readonly by: Caller) {
    super();
  }
}

@CommandHandler(TakeBackup)
export class TakeBackupHandler implements ICommandHandler<TakeBackup> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
  ) {}

  /** The line comes first, so that the backup holds it. */
  async execute({ by }: TakeBackup): Promise<AsyncIterable<string>> {
    await this.audit.record({ act: TakeBackup.act, outcome: 'success', by });
    return dumpText(targetOf(this.db));
  }
}
