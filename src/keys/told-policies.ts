import type { EntityManager } from 'typeorm';
import type { WatchedTable } from '../audit/row-watch.js';
import { type ToldRow, toldRow } from '../audit/told-row.js';
import { InstancePolicy } from './instance-policy.entity.js';

const TABLE = 'instance_policies';

/** What the line of a change tells: all policies of the instance. */
export async function toldPolicies(tx: EntityManager, instanceId: string): Promise<ToldRow> {
  const policies = await tx.find(InstancePolicy, { where: { instanceId }, order: { type: 'ASC' } });
  return toldRow(TABLE, { policies });
}

export const WATCHED_POLICIES: WatchedTable = {
  name: TABLE,
  page: async (tx: EntityManager, after: string, limit: number) => {
    const instances = await tx.query<{ id: string }[]>(
      `SELECT DISTINCT "instanceId"::text COLLATE "C" AS "id" FROM "${TABLE}"
       WHERE "instanceId"::text COLLATE "C" > $1 ORDER BY 1 LIMIT $2`,
      [after, limit],
    );
    return Promise.all(instances.map(async ({ id }) => ({ id, told: await toldPolicies(tx, id) })));
  },
};
