import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { AuditLog, type ShownLine } from '../audit/audit-log.js';
import type { Permission } from '../shared/permissions.js';

/** The newest audit lines first, those before `before` when it is given. */
export class ReadAudit extends Query<ShownLine[]> {
  static readonly permission: Permission = 'audit.read';
  constructor(readonly page: { readonly limit?: number | undefined; readonly before?: number | undefined }) {
    super();
  }
}

@QueryHandler(ReadAudit)
export class ReadAuditHandler implements IQueryHandler<ReadAudit> {
  constructor(private readonly audit: AuditLog) {}

  execute({ page }: ReadAudit): Promise<ShownLine[]> {
    return this.audit.list(page);
  }
}
