import type { DataSource } from 'typeorm';
import { AtMost } from '../shared/at-most.js';
import { KeysteadError } from '../shared/errors.js';
import { isUuid } from '../shared/uuid.js';
import { type Key, KeyAlias } from './key.entity.js';
import type { KeyFilter, KeyPage, KeySearch } from './list-filter.js';
import { addFilter, addSearch, LISTED, orderBy, Sql, type Where } from './list-sql.js';

/** A search reads every candidate; with more of them it is refused, at any size of the instance. */
const MOST_CANDIDATES = 5_000;
/** A page takes a millisecond of the event loop: many must not arrive together. Searches are rarer and may take longer. */
const pages = new AtMost(2);
const COLUMNS = LISTED.map((column) => `"${column}"`).join(', ');

export type ListedKey = Pick<Key, (typeof LISTED)[number]>;

/** Reads keys of a place as somebody may see them. */
export class KeyList {
  constructor(
    private readonly db: DataSource,
    private readonly where: Where,
  ) {}

  /** A page of keys. SEARCH_TOO_BROAD; `incomplete` when only the key that the search names directly was looked up. */
  async page(page: KeyPage): Promise<{ rows: ListedKey[]; incomplete: boolean }> {
    const { search, ...filter } = page;
    if (search === null) {
      return { rows: await pages.run(() => this.#read(filter, null, undefined)), incomplete: false };
    }
    const direct = await this.#direct(search);
    if ((await this.count({ ...filter, dates: [] })) <= MOST_CANDIDATES) {
      return { rows: await this.#read(filter, search, direct), incomplete: false };
    }
    const rows = direct === undefined ? [] : await this.#only(filter, direct);
    if (rows.length > 0) return { rows, incomplete: true };
    throw new KeysteadError(
      'SEARCH_TOO_BROAD',
      `the search would read more than ${MOST_CANDIDATES} keys; narrow it with a key ring, state or extractable`,
    );
  }

  /** Out of the totals, but for dates and for callers who see a part only. */
  async count({ states, extractable, dates }: KeyFilter): Promise<number> {
    const { instanceId, keyRingId, sight } = this.where;
    const sql = new Sql();
    const simple = dates.length === 0 && sight === 'all';
    if (simple) {
      sql.where(`"instanceId" = ${sql.put(instanceId)}`);
      sql.where(`"state" IN (${states.join(', ')})`);
      if (keyRingId !== undefined) sql.where(`"keyRingId" = ${sql.put(keyRingId)}`);
      if (extractable !== undefined) sql.where(`"extractable" = ${extractable}`);
    } else {
      addFilter(sql, this.where, { states, extractable, dates });
    }
    const from = simple ? `coalesce(sum("keys"), 0) AS "n" FROM "key_totals"` : `count(*) AS "n" FROM "keys"`;
    const [row] = await this.db.query<{ n: string }[]>(`SELECT ${from} WHERE ${sql.conditions}`, sql.parameters);
    return Number(row?.n ?? 0);
  }

  #read(filter: Omit<KeyPage, 'search'>, search: KeySearch | null, direct: string | undefined): Promise<ListedKey[]> {
    const sql = new Sql();
    addFilter(sql, this.where, filter);
    if (search !== null) addSearch(sql, search, direct);
    const order = orderBy(sql, filter.sort, direct);
    const [limit, offset] = [sql.put(filter.limit), sql.put(filter.offset)];
    const text = `SELECT ${COLUMNS} FROM "keys" WHERE ${sql.conditions} ORDER BY ${order} LIMIT ${limit} OFFSET ${offset}`;
    return this.db.query<ListedKey[]>(text, sql.parameters);
  }

  #only(filter: KeyFilter, id: string): Promise<ListedKey[]> {
    const sql = new Sql();
    addFilter(sql, this.where, filter);
    sql.where(`"id" = ${sql.put(id)}`);
    return this.db.query<ListedKey[]>(`SELECT ${COLUMNS} FROM "keys" WHERE ${sql.conditions}`, sql.parameters);
  }

  /** The key that the search names directly: by its whole id, or by an alias in a search of aliases. */
  async #direct({ text, not, scopes }: KeySearch): Promise<string | undefined> {
    if (not) return undefined;
    if (isUuid(text)) return text.toLowerCase();
    if (!scopes.includes('alias')) return undefined;
    const { instanceId } = this.where;
    return (await this.db.manager.findOneBy(KeyAlias, { instanceId, alias: text }))?.keyId;
  }
}
