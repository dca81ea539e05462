import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource, type FindOptionsWhere } from 'typeorm';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import type { Permission } from '../shared/permissions.js';
import { KeyGrant } from './key-grant.entity.js';
import type { GrantPage, ListedGrants } from './key-grant.js';
import { assertWhole } from './key-rules.js';
import { assertAllowed } from './key-state.js';
import { KeyStore } from './key-store.js';
import type { KeyTarget, Place } from './key-target.js';

const LIMIT = 1_000;

/** The grants of a key, the oldest first. */
export class ListGrants extends Query<ListedGrants> {
  static readonly permission: Permission = 'key-grant.read';
  static readonly act = 'kms.grants.list';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly page: GrantPage = {},
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@QueryHandler(ListGrants)
export class ListGrantsHandler implements IQueryHandler<ListGrants> {
  constructor(
    private readonly db: DataSource,
    private readonly store: KeyStore,
    private readonly audit: AuditLog,
  ) {}

  async execute({ by, target, page }: ListGrants): Promise<ListedGrants> {
    const key = await this.store.find(target);
    assertAllowed('read grants of', key, new Date());
    const listed = await readPage(this.db, { keyId: key.id }, page);
    await this.audit.record({
      act: ListGrants.act,
      outcome: 'success',
      by,
      instanceId: key.instanceId,
      target: key.id,
      detail: { totalResources: listed.grants.length },
    });
    return listed;
  }
}

/** The grants of an instance that the caller may retire as their retiring principal, the oldest first. */
export class ListRetirableGrants extends Query<ListedGrants> {
  static readonly permission: Permission = 'key.read';
  static readonly act = 'kms.retirable-grants.list';
  static readonly partial = true;
  constructor(
    readonly by: Caller,
    readonly target: Place,
    readonly page: GrantPage = {},
  ) {
    super();
  }

  get scope(): Scope {
    return { instanceId: this.target.instanceId };
  }
}

@QueryHandler(ListRetirableGrants)
export class ListRetirableGrantsHandler implements IQueryHandler<ListRetirableGrants> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
  ) {}

  async execute({ by, target: { instanceId }, page }: ListRetirableGrants): Promise<ListedGrants> {
    const listed = await readPage(this.db, { instanceId, retiringPrincipal: by.id }, page);
    const detail = { totalResources: listed.grants.length };
    await this.audit.record({ act: ListRetirableGrants.act, outcome: 'success', by, instanceId, detail });
    return listed;
  }
}

async function readPage(
  db: DataSource,
  where: FindOptionsWhere<KeyGrant>,
  { limit = LIMIT, offset = 0 }: GrantPage,
): Promise<ListedGrants> {
  assertWhole('limit', limit, 1, LIMIT);
  const order = { createdAt: 'ASC', id: 'ASC' } as const;
  const [grants, total] = await db.manager.findAndCount(KeyGrant, { where, order, take: limit, skip: offset });
  return { grants, total };
}
