import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { Caller } from '../access/caller.js';
import { type Scope, sightOf } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import type { Permission } from '../shared/permissions.js';
import type { Place } from './key-target.js';
import { addSight, Sql } from './list-sql.js';

export interface UsedLabel {
  readonly name: string;
  /** In alphabetical order. */
  readonly values: readonly string[];
}

/** The labels that keys of the instance have, each once, by name. */
export class ListLabels extends Query<UsedLabel[]> {
  static readonly permission: Permission = 'key.read';
  static readonly act = 'kms.labels.list';
  static readonly partial = true;
  constructor(
    readonly by: Caller,
    readonly target: Place,
  ) {
    super();
  }

  get scope(): Scope {
    return { instanceId: this.target.instanceId, keyRingId: this.target.keyRingId };
  }
}

@QueryHandler(ListLabels)
export class ListLabelsHandler implements IQueryHandler<ListLabels> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
  ) {}

  async execute({ by, target: { instanceId } }: ListLabels): Promise<UsedLabel[]> {
    const sql = new Sql();
    sql.where(`"keys"."instanceId" = ${sql.put(instanceId)}`);
    sql.where(`"keys"."labels" <> '{}'`); // these words are the partial index's
    sql.where(`"keys"."state" <> 5`);
    addSight(sql, sightOf(by, ListLabels.permission, instanceId));
    const labels = await this.db.query<UsedLabel[]>(
      `SELECT "l"."key" AS "name", array_agg(DISTINCT "l"."value" ORDER BY "l"."value") AS "values"
       FROM "keys", jsonb_each_text("keys"."labels") "l" WHERE ${sql.conditions} GROUP BY 1 ORDER BY 1`,
      sql.parameters,
    );
    const detail = { totalResources: labels.length };
    await this.audit.record({ act: ListLabels.act, outcome: 'success', by, instanceId, detail });
    return labels;
  }
}
