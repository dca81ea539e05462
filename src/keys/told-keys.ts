import { type EntityManager, In, MoreThan } from 'typeorm';
import type { WatchedTable } from '../audit/row-watch.js';
import { type ToldRow, toldRow } from '../audit/told-row.js';
import { Key, KeyAlias, KeyVersion } from './key.entity.js';
import { KeyGrant } from './key-grant.entity.js';

const TABLE = 'keys';

/** What the line of a change tells: the key as it is stored now, with its versions, aliases and grants, or that it is gone. */
export async function toldKey(tx: EntityManager, id: string): Promise<ToldRow> {
  const [only] = await toldKeys(tx, await tx.findBy(Key, { id }));
  return only?.told ?? { of: TABLE, sha256: null };
}

/** The same for keys that were read, in their order; null for one that was not changed since rows have numbers. */
export async function toldKeys(
  tx: EntityManager,
  keys: readonly Key[],
): Promise<{ readonly id: string; readonly told: ToldRow | null }[]> {
  const where = { keyId: In(keys.map(({ id }) => id)) };
  const versions = byKey(await tx.find(KeyVersion, { where, order: { id: 'ASC' } }));
  const aliases = byKey(await tx.find(KeyAlias, { where, order: { alias: 'ASC' } }));
  const grants = byKey(await tx.find(KeyGrant, { where, order: { id: 'ASC' } }));
  return keys.map((key) => {
    const { id, auditSeq } = key;
    const counted = versions(id).map(({ wraps, ...version }) => version); // use counts without a line
    const whole = { key, versions: counted, aliases: aliases(id), grants: grants(id) };
    return { id, told: auditSeq === null ? null : toldRow(TABLE, whole, auditSeq) };
  });
}

/** Rows from before there were numbers have no line; units know them by their MACs, and the walk numbers them. */
export const WATCHED_KEYS: WatchedTable = {
  name: TABLE,
  numbered: true,
  page: async (tx: EntityManager, after: string, take: number) => {
    const where = after === '' ? {} : { id: MoreThan(after) };
    return toldKeys(tx, await tx.find(Key, { where, order: { id: 'ASC' }, take }));
  },
};

function byKey<Row extends { readonly keyId: string }>(rows: readonly Row[]): (id: string) => readonly Row[] {
  const grouped = new Map<string, Row[]>();
  for (const row of rows) {
    const known = grouped.get(row.keyId);
    if (known === undefined) grouped.set(row.keyId, [row]);
    else known.push(row);
  }
  return (id) => grouped.get(id) ?? [];
}
