import type { EntityManager } from 'typeorm';
import type { WatchedTable } from '../audit/row-watch.js';
import { type ToldRow, toldRow } from '../audit/told-row.js';
import { AccessKey } from './access-key.entity.js';

/** What the line of a change tells of an access key. */
export function toldAccessKey(key: AccessKey): ToldRow {
  return toldRow('access_keys', key);
}

export const WATCHED_ACCESS_KEYS: WatchedTable = {
  name: 'access_keys',
  page: async (tx: EntityManager, after: string, limit: number) => {
    const keys = await tx
      .createQueryBuilder(AccessKey, 'key')
      .where('key.id COLLATE "C" > :after', { after })
      .orderBy('key.id COLLATE "C"')
      .limit(limit)
      .getMany();
    return keys.map((key) => ({ id: key.id, told: toldAccessKey(key) }));
  },
};
