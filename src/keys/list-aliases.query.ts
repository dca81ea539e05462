import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { Caller } from '../access/caller.js';
import { type Scope, sightOf } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import type { Permission } from '../shared/permissions.js';
import { assertWhole } from './key-rules.js';
import { KeyStore } from './key-store.js';
import type { Place } from './key-target.js';
import type { AliasView } from './key-view.js';
import { addSight, Sql } from './list-sql.js';

const LIMIT = { most: 1_000, otherwise: 100 } as const;

export interface AliasPage {
  /** Id or alias of the one key whose aliases are meant. */
  readonly key?: string | undefined;
  /** Only aliases that begin so. */
  readonly prefix?: string | undefined;
  /** 1 to 1,000; 100 when not given. */
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
}

export interface ListedAliases {
  readonly aliases: readonly AliasView[];
  readonly total: number;
}

/** The aliases of an instance or of one of its keys, by name. KEY_NOT_FOUND. */
export class ListAliases extends Query<ListedAliases> {
  static readonly permission: Permission = 'key.read';
  static readonly act = 'kms.secrets-alias.list';
  static readonly partial = true;
  constructor(
    readonly by: Caller,
    readonly target: Place,
    readonly page: AliasPage = {},
  ) {
    super();
  }

  get scope(): Scope {
    return { instanceId: this.target.instanceId, key: this.page.key };
  }
}

@QueryHandler(ListAliases)
export class ListAliasesHandler implements IQueryHandler<ListAliases> {
  constructor(
    private readonly db: DataSource,
    private readonly store: KeyStore,
    private readonly audit: AuditLog,
  ) {}

  async execute({ by, target, page }: ListAliases): Promise<ListedAliases> {
    const { instanceId } = target;
    const { key, prefix, limit = LIMIT.otherwise, offset = 0 } = page;
    assertWhole('limit', limit, 1, LIMIT.most);
    const of = key === undefined ? undefined : await this.store.find({ ...target, key });
    const sql = new Sql();
    sql.where(`"a"."instanceId" = ${sql.put(instanceId)}`);
    if (of !== undefined) sql.where(`"a"."keyId" = ${sql.put(of.id)}`);
    if (prefix !== undefined) sql.where(`starts_with("a"."alias", ${sql.put(prefix)})`);
    addSight(sql, sightOf(by, ListAliases.permission, instanceId));
    const from = `FROM "key_aliases" "a" JOIN "keys" ON "keys"."id" = "a"."keyId" WHERE ${sql.conditions}`;
    const [count] = await this.db.query<{ n: string }[]>(`SELECT count(*) AS "n" ${from}`, sql.parameters);
    const [most, skip] = [sql.put(limit), sql.put(offset)];
    const columns = ['keyId', 'alias', 'createdAt', 'createdBy'].map((name) => `"a"."${name}"`).join(', ');
    const aliases = await this.db.query<AliasView[]>(
      `SELECT ${columns} ${from} ORDER BY "a"."alias" LIMIT ${most} OFFSET ${skip}`,
      sql.parameters,
    );
    const detail = { totalResources: aliases.length };
    await this.audit.record({
      act: ListAliases.act,
      outcome: 'success',
      by,
      instanceId,
      target: of?.id,
      detail,
    });
    return { aliases, total: Number(count?.n ?? 0) };
  }
}
