import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { Caller } from '../access/caller.js';
import { type Scope, sightOf } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import type { Permission } from '../shared/permissions.js';
import { KeyList } from './key-list.js';
import type { Place } from './key-target.js';
import type { KeyView } from './key-view.js';
import { keyViewOf } from './key-view-of.js';
import type { KeyFilter, KeyPage, SearchEcho } from './list-filter.js';

export interface ListedKeys {
  readonly keys: readonly KeyView[];
  /** What was understood of `search`; null without one. */
  readonly search: SearchEcho | null;
  /** Too much to search: only the key that the search names directly is here. */
  readonly incompleteSearch: boolean;
}

/** Keys of an instance, of the named ring only when one is named; a scoped caller sees what it may see. SEARCH_TOO_BROAD. */
export class SearchKeys extends Query<ListedKeys> {
  static readonly permission: Permission = 'key.read';
  static readonly act = 'kms.secrets.list';
  static readonly partial = true;
  constructor(
    readonly by: Caller,
    readonly target: Place,
    readonly page: KeyPage,
  ) {
    super();
  }

  get scope(): Scope {
    return { instanceId: this.target.instanceId, keyRingId: this.target.keyRingId };
  }
}

@QueryHandler(SearchKeys)
export class SearchKeysHandler implements IQueryHandler<SearchKeys> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly config: Config,
  ) {}

  async execute({ by, target, page }: SearchKeys): Promise<ListedKeys> {
    const where = { ...target, sight: sightOf(by, SearchKeys.permission, target.instanceId) };
    const { rows, incomplete } = await new KeyList(this.db, where).page(page);
    const now = new Date();
    const keys = rows.map((row) => keyViewOf(row, this.config.timers, now)); // before all who share the commit go on together
    await this.audit.record({
      act: SearchKeys.act,
      outcome: 'success',
      by,
      instanceId: target.instanceId,
      detail: { totalResources: rows.length, keyRingId: target.keyRingId },
    });
    const { search } = page;
    return {
      keys,
      search: search && { query: search.text, scopes: search.scopes, not: search.not, exact: search.exact },
      incompleteSearch: incomplete,
    };
  }
}

/** How many keys a list would have in all. */
export class CountKeys extends Query<number> {
  static readonly permission: Permission = 'key.read';
  static readonly act = 'kms.secrets.head';
  static readonly partial = true;
  constructor(
    readonly by: Caller,
    readonly target: Place,
    readonly filter: KeyFilter,
  ) {
    super();
  }

  get scope(): Scope {
    return { instanceId: this.target.instanceId, keyRingId: this.target.keyRingId };
  }
}

@QueryHandler(CountKeys)
export class CountKeysHandler implements IQueryHandler<CountKeys> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
  ) {}

  async execute({ by, target, filter }: CountKeys): Promise<number> {
    const where = { ...target, sight: sightOf(by, CountKeys.permission, target.instanceId) };
    const count = await new KeyList(this.db, where).count(filter);
    await this.audit.record({
      act: CountKeys.act,
      outcome: 'success',
      by,
      instanceId: target.instanceId,
      detail: { totalResources: count, keyRingId: target.keyRingId },
    });
    return count;
  }
}
