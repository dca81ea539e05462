import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { Caller } from '../access/caller.js';
import { type Scope, sightOf } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import type { Permission } from '../shared/permissions.js';
import type { ListedKey } from './key-list.js';
import { addQuery, type KeyQuery } from './key-query.js';
import { assertWhole } from './key-rules.js';
import type { Place } from './key-target.js';
import type { KeyView } from './key-view.js';
import { keyViewOf } from './key-view-of.js';
import { addSight, LISTED, Sql } from './list-sql.js';

const LIMIT = { most: 1_000, otherwise: 100 } as const;
const COLUMNS = LISTED.map((column) => `"${column}"`).join(', ');

export interface KeysOfPlace {
  readonly keys: readonly KeyView[];
  readonly total: number;
}

/** Keys of an instance that a caller may see, the newest first. */
export class ListKeys extends Query<KeysOfPlace> {
  static readonly permission: Permission = 'key.read';
  static readonly act = 'kms.secrets.list';
  static readonly partial = true;
  constructor(
    readonly by: Caller,
    readonly target: Place,
    readonly filter: KeyQuery = {},
  ) {
    super();
  }

  get scope(): Scope {
    return { instanceId: this.target.instanceId, keyRingId: this.target.keyRingId };
  }
}

@QueryHandler(ListKeys)
export class ListKeysHandler implements IQueryHandler<ListKeys> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly config: Config,
  ) {}

  async execute({ by, target, filter }: ListKeys): Promise<KeysOfPlace> {
    const { instanceId, keyRingId } = target;
    const { limit = LIMIT.otherwise, offset = 0 } = filter;
    assertWhole('limit', limit, 0, LIMIT.most);
    const now = new Date();
    const sql = new Sql();
    sql.where(`"keys"."instanceId" = ${sql.put(instanceId)}`);
    if (keyRingId !== undefined) sql.where(`"keyRingId" = ${sql.put(keyRingId)}`);
    addSight(sql, sightOf(by, ListKeys.permission, instanceId));
    addQuery(sql, filter, now);
    const from = `FROM "keys" WHERE ${sql.conditions}`;
    const [count] = await this.db.query<{ n: string }[]>(`SELECT count(*) AS "n" ${from}`, sql.parameters);
    const [most, skip] = [sql.put(limit), sql.put(offset)];
    const rows = await this.db.query<ListedKey[]>(
      `SELECT ${COLUMNS} ${from} ORDER BY "createdAt" DESC, "id" DESC LIMIT ${most} OFFSET ${skip}`,
      sql.parameters,
    );
    const keys = rows.map((row) => keyViewOf(row, this.config.timers, now));
    const detail = { totalResources: rows.length, keyRingId };
    await this.audit.record({ act: ListKeys.act, outcome: 'success', by, instanceId, detail });
    return { keys, total: Number(count?.n ?? 0) };
  }
}
