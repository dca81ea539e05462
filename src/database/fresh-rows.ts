import { RecentMap } from '../shared/recent-map.js';
import { BatchedStatement } from './batched-statement.js';
import type { Marked, ReadLane, RowSource } from './read-lane.js';

const CAPACITY = 4_096;
/** A mark can come again after 2^32 transactions, which take longer. */
const KEPT_MS = 600_000;

interface Known<Row> {
  readonly id: string;
  readonly mark: string;
  readonly row: Row;
  readonly until: number;
}

/**
 * Rows by id, as the database has them now. Of a row that was read before only the mark is asked for, and the row itself
 * when its mark is another one. Many share what was read: nobody may change it.
 */
export class FreshRows<Row extends object> {
  readonly #known = new RecentMap<Known<Row>>(CAPACITY);
  readonly #rows: BatchedStatement<Known<Row>>;

  /** `make` gives the row out of its columns. */
  constructor(
    private readonly lane: Pick<ReadLane, 'mark' | 'rows'>,
    private readonly source: RowSource,
    make: (columns: object) => Row,
  ) {
    const keep = ({ rowId: id, rowMark: mark, ...columns }: Marked, until: number) => {
      const known = { id, mark, row: make(columns), until };
      this.#known.set(id, known);
      return known;
    };
    this.#rows = new BatchedStatement(
      async (ids) => {
        const until = performance.now() + KEPT_MS;
        return (await lane.rows(source, ids)).map((columns) => keep(columns, until));
      },
      ({ id }) => id,
    );
  }

  /** The row of that id; null when there is none. Throws what the statement throws. */
  find(id: string): Promise<Row | null> {
    return this.findKnown(id) ?? this.#read(id);
  }

  /** The same, of a row that was read before; undefined for any other. For who asks on suspicion: of what nobody asked for before, nothing is asked. */
  findKnown(id: string): Promise<Row | null> | undefined {
    const known = this.#known.get(id);
    return known !== undefined && known.until > performance.now() ? this.#still(known) : undefined;
  }

  async #still({ id, mark, row }: Known<Row>): Promise<Row | null> {
    const now = await this.lane.mark(this.source, id);
    if (now === null) return null;
    return now.rowMark === mark ? row : this.#read(id);
  }

  async #read(id: string): Promise<Row | null> {
    return (await this.#rows.find(id))?.row ?? null;
  }
}
