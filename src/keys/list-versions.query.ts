import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import type { Permission } from '../shared/permissions.js';
import { KeyVersion } from './key.entity.js';
import { assertRoot } from './key-rules.js';
import { assertAllowed } from './key-state.js';
import { KeyStore } from './key-store.js';
import type { KeyTarget } from './key-target.js';
import type { KeyVersionView } from './key-view.js';

const LIMIT = 200;

export interface VersionPage {
  /** 1 to 5000; 200 when not given. */
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
  readonly allKeyStates?: boolean | undefined;
}

export interface ListedVersions {
  readonly versions: readonly KeyVersionView[];
  readonly total: number;
}

/** Versions of a root key, the newest first. */
export class ListVersions extends Query<ListedVersions> {
  static readonly permission: Permission = 'key.read';
  static readonly act = 'kms.secrets-key-versions.list';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly page: VersionPage = {},
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@QueryHandler(ListVersions)
export class ListVersionsHandler implements IQueryHandler<ListVersions> {
  constructor(
    private readonly db: DataSource,
    private readonly store: KeyStore,
    private readonly audit: AuditLog,
  ) {}

  async execute({ by, target, page }: ListVersions): Promise<ListedVersions> {
    const key = await this.store.find(target);
    assertRoot(key);
    assertAllowed(page.allKeyStates ? 'list versions in any state of' : 'list versions of', key, new Date());
    const [rows, total] = await this.db.manager.findAndCount(KeyVersion, {
      select: { id: true, createdAt: true },
      where: { keyId: key.id },
      order: { createdAt: 'DESC', id: 'ASC' },
      take: page.limit ?? LIMIT,
      skip: page.offset ?? 0,
    });
    await this.audit.record({
      act: ListVersions.act,
      outcome: 'success',
      by,
      instanceId: key.instanceId,
      target: key.id,
      detail: { totalResources: rows.length },
    });
    return { versions: rows.map(({ id, createdAt }) => ({ id, createdAt })), total };
  }
}
