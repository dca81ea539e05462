/** One statement for all failures that came while the one before was under way. Rows whose time has come mean nothing. */
const ADD = `
  WITH "gone" AS (
    DELETE FROM "failed_attempts" WHERE "place" IN (
      SELECT "place" FROM "failed_attempts" WHERE "forgotten" <= now() AND "place" <> ALL ($1) LIMIT 100
      FOR UPDATE SKIP LOCKED))
  INSERT INTO "failed_attempts" AS "known" ("place", "forgotten")
  SELECT "place", now() + "more" * $3::float8 * interval '1 millisecond'
  FROM unnest($1::text[], $2::int[]) AS "new" ("place", "more") ORDER BY "place"
  ON CONFLICT ("place") DO UPDATE
  SET "forgotten" = greatest("known"."forgotten", now()) + (EXCLUDED."forgotten" - now())
  RETURNING "place", extract(epoch FROM "forgotten" - now()) * 1000 AS "left"`;

interface Waiting {
  readonly resolve: (left: number) => void;
  readonly reject: (cause: unknown) => void;
}

/** Adds failures to the table that all servers share. */
export class FailureLane {
  #waiting = new Map<string, Waiting[]>();
  #writing = false;

  /** `intervalMs`: how long one failure counts. */
  constructor(
    private readonly query: (sql: string, values: unknown[]) => Promise<{ place: string; left: string }[]>,
    private readonly intervalMs: number,
  ) {}

  /** Adds one; in how many milliseconds all failures there are forgotten. Throws what the statement throws. */
  add(place: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const others = this.#waiting.get(place);
      if (others === undefined) this.#waiting.set(place, [{ resolve, reject }]);
      else others.push({ resolve, reject });
      if (!this.#writing) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#writing = true;
    await Promise.resolve(); // the places of one failure go together
    while (this.#waiting.size > 0) {
      const batch = this.#waiting;
      this.#waiting = new Map();
      await this.#write(batch);
    }
    this.#writing = false;
  }

  async #write(batch: ReadonlyMap<string, readonly Waiting[]>): Promise<void> {
    try {
      const counts = [...batch.values()].map((all) => all.length);
      const rows = await this.query(ADD, [[...batch.keys()], counts, this.intervalMs]);
      const left = new Map(rows.map((row) => [row.place, Number(row.left)]));
      for (const [place, all] of batch) for (const { resolve } of all) resolve(left.get(place) ?? 0);
    } catch (cause) {
      for (const all of batch.values()) for (const { reject } of all) reject(cause);
    }
  }
}
