import type { Sight } from '../access/scope.js';
import { DAY_MS } from './key-rules.js';
import { DESTROYED } from './key-state.js';
import type { DateCondition, KeyFilter, KeySearch, SortKey } from './list-filter.js';

/** What a list shows of a row; the payload of standard keys stays where it is. */
export const LISTED = [
  'id',
  'instanceId',
  'keyRingId',
  'name',
  'description',
  'tags',
  'aliases',
  'extractable',
  'imported',
  'byImportToken',
  'external',
  'algorithm',
  'usage',
  'labels',
  'bits',
  'state',
  'versionId',
  'rotation',
  'dualAuthDelete',
  'setForDeletionBy',
  'setForDeletionUntil',
  'createdBy',
  'createdAt',
  'updatedAt',
  'changedAt',
  'syncedAt',
  'rotatedAt',
  'rotationDueAt',
  'expiresAt',
  'materialExpiresAt',
  'deletionDueAt',
  'deletedAt',
  'deletedBy',
] as const;

const COMPARE = { lt: '<', lte: '<=', gt: '>', gte: '>=' } as const;

/** SQL text with its parameters: $1, $2, … in the order in which they were added. */
export class Sql {
  readonly parameters: unknown[] = [];
  readonly #conditions: string[] = [];

  /** The placeholder of a new parameter. */
  put(value: unknown): string {
    this.parameters.push(value);
    return `$${this.parameters.length}`;
  }

  where(condition: string): void {
    this.#conditions.push(condition);
  }

  get conditions(): string {
    return this.#conditions.map((condition) => `(${condition})`).join(' AND ');
  }
}

export interface Where {
  readonly instanceId: string;
  readonly keyRingId?: string | undefined;
  readonly sight: Sight;
}

/** The conditions of place and filter. Each is written so that an index of the migration serves it. */
export function addFilter(sql: Sql, { instanceId, keyRingId, sight }: Where, filter: KeyFilter): void {
  sql.where(`"instanceId" = ${sql.put(instanceId)}`);
  if (keyRingId !== undefined) sql.where(`"keyRingId" = ${sql.put(keyRingId)}`);
  addSight(sql, sight);
  const { states } = filter;
  if (!states.includes(DESTROYED)) sql.where(`"state" <> ${DESTROYED}`); // these words are the partial indexes'
  const alive = states.filter((state) => state !== DESTROYED).length;
  if (alive < 4) sql.where(`"state" IN (${states.join(', ')})`);
  if (filter.extractable !== undefined) sql.where(`"extractable" = ${filter.extractable}`);
  for (const condition of filter.dates) sql.where(dateCondition(sql, condition));
}

/** The condition of what a caller may see of the keys. */
export function addSight(sql: Sql, sight: Sight): void {
  if (sight === 'all') return;
  const [rings, keys] = [sql.put(sight.keyRingIds), sql.put(sight.keyIds)];
  sql.where(`"keys"."keyRingId" = ANY (${rings}::text[]) OR "keys"."id" = ANY (${keys}::uuid[])`);
}

/** The condition of a search; `direct` is the id of a key that is found whatever its name. */
export function addSearch(sql: Sql, search: KeySearch, direct: string | undefined): void {
  const text = sql.put(search.text.toLowerCase());
  const matches = (column: string) =>
    search.exact ? `lower(${column}) = ${text}` : `position(${text} IN lower(${column})) > 0`;
  const scopes = search.scopes.length === 0 ? ['name', 'alias'] : search.scopes;
  const parts = [
    ...(scopes.includes('name') ? [matches('"name"')] : []),
    ...(scopes.includes('alias') ? [`EXISTS (SELECT 1 FROM unnest("aliases") "a" WHERE ${matches('"a"')})`] : []),
  ];
  const found = `${search.not ? 'NOT ' : ''}(${parts.join(' OR ')})`;
  sql.where(direct === undefined ? found : `${found} OR "id" = ${sql.put(direct)}`);
}

/** ORDER BY: the asked order, then the id, in the direction that lets one index serve both. */
export function orderBy(sql: Sql, sort: readonly SortKey[], direct: string | undefined): string {
  const last = sort.at(-1)?.descending ?? false;
  const withId = sort.some(({ field }) => field === 'id') ? sort : [...sort, { field: 'id', descending: last }];
  const columns = withId.map(({ field, descending }) => `"${field}"${descending ? ' DESC' : ''}`);
  if (direct !== undefined) columns.unshift(`("id" = ${sql.put(direct)}) DESC`);
  return columns.join(', ');
}

function dateCondition(sql: Sql, { field, op, value }: DateCondition): string {
  if (value === null) return `"${field}" IS NULL`;
  if (op !== 'on') return `"${field}" ${COMPARE[op]} ${sql.put(value)}`;
  const day = new Date(Math.floor(value.getTime() / DAY_MS) * DAY_MS);
  return `"${field}" >= ${sql.put(day)} AND "${field}" < ${sql.put(new Date(day.getTime() + DAY_MS))}`;
}
