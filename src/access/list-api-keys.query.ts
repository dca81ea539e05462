import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { Permission } from '../shared/permissions.js';
import { ApiKey } from './api-key.entity.js';
import { type ApiKeyView, apiKeyViewOf } from './api-key-view.js';

/** Every API key, revoked ones too, the newest first. */
export class ListApiKeys extends Query<ApiKeyView[]> {
  static readonly permission: Permission = 'api-key.manage';
  static readonly act = 'api-key.list';
}

@QueryHandler(ListApiKeys)
export class ListApiKeysHandler implements IQueryHandler<ListApiKeys> {
  constructor(private readonly db: DataSource) {}

  async execute(): Promise<ApiKeyView[]> {
    return (await this.db.manager.find(ApiKey, { order: { createdAt: 'DESC', id: 'ASC' } })).map(apiKeyViewOf);
  }
}
