import { RecentMap } from '../shared/recent-map.js';
import { BatchedStatement } from './batched-statement.js';
import type { ReadLane } from './read-lane.js';

const CAPACITY = 4_096;
/** A mark can come again after 2^32 transactions, which take longer. */
const KEPT_MS = 600_000;

/** SQL of the rows. The parameter of FROM … WHERE is the array of ids. */
export interface RowSource {
  /** Names the statements. */
  readonly name: string;
  /** The id by which a row is asked for, as text. */
  readonly id: string;
  /** What every change of the row changes: xmin and ctid (PostgreSQL, System Columns), separated by commas. */
  readonly mark: string;
  readonly columns: string;
  readonly from: string;
}

/** Rows of one table, by one of its columns; `id` is the column as text. */
export function rowsOf(table: string, column: string, id = `"${column}"`): RowSource {
  const from = `FROM "${table}" WHERE "${column}" = ANY($1)`;
  return { name: `${table}-by-${column}`, id, mark: '"xmin", "ctid"', columns: '*', from };
}

interface Known<Row> {
  readonly id: string;
  readonly mark: string;
  readonly row: Row;
  readonly until: number;
}

interface Marked {
  readonly rowId: string;
  readonly rowMark: string;
}

/**
 * Rows by id, as the database has them now. Of a row that was read before only the mark is asked for, and the row itself
 * when its mark is another one. Many share what was read: nobody may change it.
 */
export class FreshRows<Row extends object> {
  readonly #known = new RecentMap<Known<Row>>(CAPACITY);
  readonly #asked: BatchedStatement<Known<Row>>;
  readonly #marks: string;
  readonly #rows: string;

  /** `make` gives the row out of its columns; `asked` an id as the statement takes it. */
  constructor(
    private readonly lane: Pick<ReadLane, 'rows'>,
    private readonly source: RowSource,
    private readonly make: (columns: object) => Row,
    private readonly asked: (id: string) => string | Buffer = (id) => id,
  ) {
    const { id, mark, columns, from } = source;
    // a database that was restored counts its transactions anew, from where it was
    const marked = `SELECT ${id} AS "rowId", concat_ws(' ', pg_postmaster_start_time(), ${mark}) AS "rowMark"`;
    this.#marks = `${marked} ${from}`;
    this.#rows = `${marked}, ${columns} ${from}`;
    this.#asked = new BatchedStatement(
      (ids) => this.#read(ids),
      (known) => known.id,
    );
  }

  /** The row of that id; null when there is none. Throws what the statement throws. */
  async find(id: string): Promise<Row | null> {
    return (await this.#asked.find(id))?.row ?? null;
  }

  async #read(ids: readonly string[]): Promise<Known<Row>[]> {
    const now = performance.now();
    const remembered = (id: string) => (this.#known.get(id)?.until ?? 0) > now;
    const same: Known<Row>[] = [];
    const other = ids.filter((id) => !remembered(id));
    for (const { rowId, rowMark } of await this.#select<Marked>('marks', this.#marks, ids.filter(remembered))) {
      const known = this.#known.get(rowId);
      if (known?.mark === rowMark) same.push(known);
      else other.push(rowId);
    }
    const read = await this.#select<Marked>('rows', this.#rows, other);
    return [...same, ...read.map((columns) => this.#keep(columns, now + KEPT_MS))];
  }

  #select<Columns extends object>(what: string, text: string, ids: readonly string[]): Promise<Columns[]> {
    if (ids.length === 0) return Promise.resolve([]);
    return this.lane.rows<Columns>(`${this.source.name}-${what}`, text, ids.map(this.asked));
  }

  #keep({ rowId: id, rowMark: mark, ...columns }: Marked, until: number): Known<Row> {
    const known = { id, mark, row: this.make(columns), until };
    this.#known.set(id, known);
    return known;
  }
}
