import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource, In } from 'typeorm';
import type { Caller } from '../access/caller.js';
import { type Scope, sightOf } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import type { Permission } from '../shared/permissions.js';
import { KeyRing } from './key-ring.entity.js';
import { DEFAULT_RING, type KeyRingView } from './key-ring-view.js';

const LIMIT = 100;

export interface ListedKeyRings {
  readonly rings: readonly KeyRingView[];
  readonly total: number;
}

/** Key rings, `default` first; a scoped caller sees its own. */
export class ListKeyRings extends Query<ListedKeyRings> {
  static readonly permission: Permission = 'key-ring.read';
  static readonly act = 'kms.key-rings.list';
  static readonly partial = true;
  constructor(
    readonly by: Caller,
    readonly target: { readonly instanceId: string },
    readonly page: { readonly limit?: number | undefined; readonly offset?: number | undefined } = {},
  ) {
    super();
  }

  get scope(): Scope {
    return { instanceId: this.target.instanceId };
  }
}

@QueryHandler(ListKeyRings)
export class ListKeyRingsHandler implements IQueryHandler<ListKeyRings> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
  ) {}

  async execute({ by, target: { instanceId }, page }: ListKeyRings): Promise<ListedKeyRings> {
    const sight = sightOf(by, ListKeyRings.permission, instanceId);
    const seen = sight === 'all' ? undefined : sight.keyRingIds;
    const stored = await this.db.manager.find(KeyRing, {
      where: { instanceId, ...(seen !== undefined && { id: In([...seen]) }) },
      order: { createdAt: 'ASC', id: 'ASC' },
    });
    const first: KeyRingView[] =
      seen === undefined || seen.includes(DEFAULT_RING) ? [{ id: DEFAULT_RING, createdAt: null, createdBy: null }] : [];
    const all = [...first, ...stored.map(({ id, createdAt, createdBy }) => ({ id, createdAt, createdBy }))];
    const offset = page.offset ?? 0;
    const rings = all.slice(offset, offset + (page.limit ?? LIMIT));
    const detail = { totalResources: rings.length };
    await this.audit.record({ act: ListKeyRings.act, outcome: 'success', by, instanceId, detail });
    return { rings, total: all.length };
  }
}
