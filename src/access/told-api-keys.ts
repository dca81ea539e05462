import { type EntityManager, MoreThan } from 'typeorm';
import type { WatchedTable } from '../audit/row-watch.js';
import { type ToldRow, toldRow } from '../audit/told-row.js';
import { ApiKey } from './api-key.entity.js';

/** What the line of a change tells of an API key. */
export function toldApiKey(key: ApiKey): ToldRow {
  return toldRow('api_keys', key);
}

export const WATCHED_API_KEYS: WatchedTable = {
  name: 'api_keys',
  page: async (tx: EntityManager, after: string, take: number) => {
    const where = after === '' ? {} : { id: MoreThan(after) };
    const keys = await tx.find(ApiKey, { where, order: { id: 'ASC' }, take });
    return keys.map((key) => ({ id: key.id, told: toldApiKey(key) }));
  },
};
