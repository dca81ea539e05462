import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { AuditFilter } from '../audit/audit-list.js';
import { AuditLog, type ShownLine } from '../audit/audit-log.js';
import { type StoredLine, storedLineOf } from '../audit/export-format.js';
import type { Permission } from '../shared/permissions.js';

/** The newest audit lines first that the filter lets through. */
export class ReadAudit extends Query<ShownLine[]> {
  static readonly permission: Permission = 'audit.read';
  constructor(readonly filter: AuditFilter) {
    super();
  }
}

@QueryHandler(ReadAudit)
export class ReadAuditHandler implements IQueryHandler<ReadAudit> {
  constructor(private readonly audit: AuditLog) {}

  execute({ filter }: ReadAudit): Promise<ShownLine[]> {
    return this.audit.list(filter);
  }
}

/** The lines after the first `after`, the oldest first, as they are stored. */
export class ReadAuditLines extends Query<StoredLine[]> {
  static readonly permission: Permission = 'audit.read';
  constructor(
    readonly after: number,
    readonly limit: number,
  ) {
    super();
  }
}

@QueryHandler(ReadAuditLines)
export class ReadAuditLinesHandler implements IQueryHandler<ReadAuditLines> {
  constructor(private readonly audit: AuditLog) {}

  async execute({ after, limit }: ReadAuditLines): Promise<StoredLine[]> {
    return (await this.audit.after(after, limit)).map(storedLineOf);
  }
}

/** Where the log ends: so many lines, and the hash of the last, hex. */
export class ReadAuditHead extends Query<{ readonly size: number; readonly root: string }> {
  static readonly permission: Permission = 'audit.read';
}

@QueryHandler(ReadAuditHead)
export class ReadAuditHeadHandler implements IQueryHandler<ReadAuditHead> {
  constructor(private readonly audit: AuditLog) {}

  async execute(): Promise<{ size: number; root: string }> {
    const { size, root } = await this.audit.head();
    return { size, root: root.toString('hex') };
  }
}
