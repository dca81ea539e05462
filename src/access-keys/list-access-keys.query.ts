import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { Caller } from '../access/caller.js';
import type { Permission } from '../shared/permissions.js';
import { AccessKey } from './access-key.entity.js';
import { type AccessKeyView, accessKeyViewOf } from './access-key.js';

/** The access keys there are, revoked ones too, the oldest first. */
export class ListAccessKeys extends Query<AccessKeyView[]> {
  static readonly permission: Permission = 'access-key.manage';
  static readonly act = 'access-key.list';
  constructor(
    readonly by: Caller,
    readonly filter: { readonly instanceId?: string | undefined } = {},
  ) {
    super();
  }
}

@QueryHandler(ListAccessKeys)
export class ListAccessKeysHandler implements IQueryHandler<ListAccessKeys> {
  constructor(private readonly db: DataSource) {}

  async execute({ filter: { instanceId } }: ListAccessKeys): Promise<AccessKeyView[]> {
    const where = instanceId === undefined ? {} : { instanceId };
    const keys = await this.db.manager.find(AccessKey, { where, order: { createdAt: 'ASC', id: 'ASC' } });
    return keys.map(accessKeyViewOf);
  }
}
