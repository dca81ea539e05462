import { Pace } from './pace.js';

/**
 * From the beginning of one statement to that of the next. Under load each takes more of those who ask with it, and the
 * processors of both sides have less to do; a question that comes alone is asked at once.
 */
const APART_MS = 2;

interface Waiting<Row> {
  readonly resolve: (row: Row | null) => void;
  readonly reject: (cause: unknown) => void;
}

/**
 * Asks for rows by an id, with one statement for all that are asked for in one turn of the event loop, or while the one
 * before is under way: what comes back is as fresh as with a statement each, since nobody joins one that has begun.
 */
export class BatchedStatement<Row> {
  #waiting = new Map<string, Waiting<Row>[]>();
  #reading = false;
  readonly #pace = new Pace(APART_MS);

  /** `read` gives the rows there are of those ids, each asked for so many times, in any order; `idOf` says which is which. */
  constructor(
    private readonly read: (ids: readonly string[], counts: readonly number[]) => Promise<readonly Row[]>,
    private readonly idOf: (row: Row) => string,
  ) {}

  /** The row of that id; null when there is none. Throws what the statement throws. */
  find(id: string): Promise<Row | null> {
    return new Promise((resolve, reject) => {
      const others = this.#waiting.get(id);
      if (others === undefined) this.#waiting.set(id, [{ resolve, reject }]);
      else others.push({ resolve, reject });
      if (this.#reading) return;
      this.#reading = true;
      setImmediate(() => void this.#drain());
    });
  }

  async #drain(): Promise<void> {
    while (this.#waiting.size > 0) {
      await this.#pace.turn();
      const batch = this.#waiting;
      this.#waiting = new Map();
      await this.#answer(batch);
    }
    this.#reading = false;
  }

  async #answer(batch: ReadonlyMap<string, readonly Waiting<Row>[]>): Promise<void> {
    try {
      const counts = [...batch.values()].map((all) => all.length);
      const found = new Map((await this.read([...batch.keys()], counts)).map((row) => [this.idOf(row), row]));
      for (const [id, all] of batch) for (const { resolve } of all) resolve(found.get(id) ?? null);
    } catch (cause) {
      for (const all of batch.values()) for (const { reject } of all) reject(cause);
    }
  }
}
