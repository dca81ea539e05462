import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { Permission } from '../shared/permissions.js';

/** Leave to read the metrics of this server; what they are is read where they are kept. */
export class ReadMetrics extends Query<void> {
  static readonly permission: Permission = 'metrics.read';
}

@QueryHandler(ReadMetrics)
export class ReadMetricsHandler implements IQueryHandler<ReadMetrics> {
  async execute(): Promise<void> {}
}
