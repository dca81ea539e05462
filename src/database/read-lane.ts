import { Injectable } from '@nestjs/common';
import type pg from 'pg';
import { DataSource } from 'typeorm';
import { BatchedStatement } from './batched-statement.js';
import { ask, ownConnection } from './own-connection.js';

const DEADLINE_MS = 5_000;

/** SQL of rows that are asked for by an id. */
export interface RowSource {
  /** Names the statements. */
  readonly name: string;
  /** The id by which a row is asked for, as text. */
  readonly id: string;
  /** What every change of the row changes: xmin and ctid (PostgreSQL, System Columns), separated by commas. */
  readonly mark: string;
  readonly columns: string;
  /** FROM … WHERE the id is in this array. */
  readonly from: (ids: string) => string;
  /** An id as the statement takes it; as it is when this is not given. */
  readonly asked?: (id: string) => string | Buffer;
}

/** Rows of one table, by one of its columns; `id` is the column as text, and `asked` the inverse. */
export function rowsOf(table: string, column: string, id = `"${column}"`, asked?: RowSource['asked']): RowSource {
  const from = (ids: string) => `FROM "${table}" WHERE "${column}" = ANY(${ids})`;
  return { name: `${table}-by-${column}`, id, mark: '"xmin", "ctid"', columns: '*', from, ...(asked && { asked }) };
}

export interface Marked {
  readonly rowId: string;
  readonly rowMark: string;
}

interface Mark extends Marked {
  /** Which of the sources. */
  readonly source: number;
}

/** The reads that come with nearly every request: on a connection that waits for nothing else, planned once. */
@Injectable()
export class ReadLane {
  readonly #pool: pg.Pool;
  readonly #sources: RowSource[] = [];
  readonly #marks = new BatchedStatement<Mark>(
    (places) => this.#readMarks(places),
    ({ source, rowId }) => placeOf(source, rowId),
  );

  constructor(db: DataSource) {
    this.#pool = ownConnection(db, 'keystead-reads', DEADLINE_MS);
  }

  /** What it is now that every change of the row changes; null when there is no such row. One statement for all sources. */
  mark(source: RowSource, id: string): Promise<Marked | null> {
    const known = this.#sources.indexOf(source);
    const index = known < 0 ? this.#sources.push(source) - 1 : known;
    return this.#marks.find(placeOf(index, id));
  }

  /** The rows of these ids with their marks, in any order. */
  rows<Row extends object>(source: RowSource, ids: readonly string[]): Promise<(Row & Marked)[]> {
    const text = `SELECT ${marked(source)}, ${source.columns} ${source.from('$1')}`;
    return this.#ask(`${source.name}-rows`, text, [parameter(source, ids)]);
  }

  async #readMarks(places: readonly string[]): Promise<Mark[]> {
    const ids = this.#sources.map((): string[] => []);
    for (const place of places) {
      const at = place.indexOf(' ');
      ids[Number(place.slice(0, at))]?.push(place.slice(at + 1));
    }
    const asked = [...this.#sources.keys()].filter((index) => ids[index]?.length);
    const selects = asked.map((index, n) => {
      const source = this.#sources[index] as RowSource;
      return `SELECT ${index} AS "source", ${marked(source)} ${source.from(`$${n + 1}`)}`;
    });
    const values = asked.map((index) => parameter(this.#sources[index] as RowSource, ids[index] ?? []));
    return this.#ask(`marks-${asked.join('-')}`, selects.join(' UNION ALL '), values);
  }

  #ask<Row extends object>(name: string, text: string, values: unknown[]): Promise<Row[]> {
    return ask<Row>(this.#pool, { name, text, values });
  }
}

function placeOf(source: number, id: string): string {
  return `${source} ${id}`;
}

function parameter({ asked }: RowSource, ids: readonly string[]): readonly (string | Buffer)[] {
  return asked === undefined ? ids : ids.map(asked);
}

/** A database that was restored counts its transactions anew, from where it was. */
function marked({ id, mark }: RowSource): string {
  return `${id}::text AS "rowId", concat_ws(' ', pg_postmaster_start_time(), ${mark}) AS "rowMark"`;
}
