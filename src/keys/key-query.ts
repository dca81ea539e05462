import type { KeyUsage } from './key-kinds.js';
import type { KeyCondition } from './key-state.js';
import type { Sql } from './list-sql.js';

/** Which root and asymmetric keys: each member that is given must hold, by one of its values. Deleted keys are never meant. */
export interface KeyQuery {
  readonly conditions?: readonly KeyCondition[] | undefined;
  readonly algorithms?: readonly string[] | undefined;
  readonly usages?: readonly KeyUsage[] | undefined;
  readonly external?: boolean | undefined;
  /** For each name the values that are meant; none: any value. */
  readonly labels?: Readonly<Record<string, readonly string[]>> | undefined;
  /** A part of the name, upper and lower case alike. */
  readonly name?: string | undefined;
  /** 0 to 1,000; 100 when not given. 0: only the total. */
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
}

/** Each condition as the columns tell it at a time; conditionOf says the same of a key that was read. */
const CONDITION_SQL = {
  'pending-deletion': () => '"deletionDueAt" IS NOT NULL',
  'pending-import': (now) => `"deletionDueAt" IS NULL AND ("state" = 0 OR "materialExpiresAt" <= ${now})`,
  enabled: (now) => `"state" = 1 AND ${present(now)} AND ("expiresAt" IS NULL OR "expiresAt" > ${now})`,
  disabled: (now) => `${present(now)} AND ("state" IN (2, 3) OR ("state" = 1 AND "expiresAt" <= ${now}))`,
} as const satisfies Record<KeyCondition, (now: string) => string>;

const present = (now: string) =>
  `"deletionDueAt" IS NULL AND ("materialExpiresAt" IS NULL OR "materialExpiresAt" > ${now})`;

/** The conditions of the query; the first two are the words of the partial index. */
export function addQuery(sql: Sql, query: KeyQuery, now: Date): void {
  const { conditions, algorithms, usages, external, labels = {}, name } = query;
  sql.where('"state" <> 5');
  sql.where('NOT "extractable"');
  if (conditions !== undefined) {
    const at = conditions.some((one) => one !== 'pending-deletion') ? sql.put(now) : '';
    sql.where(conditions.map((one) => `(${CONDITION_SQL[one](at)})`).join(' OR ') || 'false');
  }
  if (algorithms !== undefined) sql.where(`"algorithm" = ANY (${sql.put(algorithms)}::text[])`);
  if (usages !== undefined) sql.where(`"usage" = ANY (${sql.put(usages)}::text[])`);
  if (external !== undefined) sql.where(`"external" = ${external}`);
  if (name !== undefined) sql.where(`position(${sql.put(name.toLowerCase())} IN lower("name")) > 0`);
  for (const [label, values] of Object.entries(labels)) sql.where(labelCondition(sql, label, values));
}

function labelCondition(sql: Sql, label: string, values: readonly string[]): string {
  if (values.length === 0) return `"labels" <> '{}' AND "labels" ? ${sql.put(label)}`;
  const alternatives = values.map((value) => `"labels" @> ${sql.put(JSON.stringify({ [label]: value }))}::jsonb`);
  return `"labels" <> '{}' AND (${alternatives.join(' OR ')})`;
}
