import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { z } from 'zod';
import { unhurried } from '../database/unhurried.js';
import { AuditLog } from './audit-log.js';
import type { ToldRow } from './told-row.js';

const PAGE = 200;

/** A table whose every change has an audit line, in the same transaction, that tells of the row. */
export interface WatchedTable {
  readonly name: string;
  /** Its rows have numbers: one without is from a time before, and unwatched. Other tables were adopted as they were then. */
  readonly numbered?: true;
  /** Ids and rows after that id, in the order of ids as bytes; at most `limit`. */
  readonly page: (tx: EntityManager, after: string, limit: number) => Promise<readonly WatchedRow[]>;
}

export interface WatchedRow {
  readonly id: string;
  /** As toldRow gives it, of what is stored; null when no line can tell of the row: it is from a time before. */
  readonly told: ToldRow | null;
}

interface NewestLine {
  readonly target: string;
  readonly seq: string;
  readonly row: ToldRow;
  /** Number of the line before that told of the same row. */
  readonly before: string | null;
}

/**
 * Compares the rows of watched tables with what the audit log tells of them. A row that was changed, set back to what it
 * was before, put in or removed behind Keystead's back is not what the newest line about it says.
 */
@Injectable()
export class RowWatch {
  readonly #tables: WatchedTable[] = [];
  readonly #adopted = new Set<WatchedTable>();
  #changed = new Map<string, ReadonlySet<string>>();

  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
  ) {}

  watch(table: WatchedTable): void {
    this.#tables.push(table);
  }

  /** Per table the ids that the last walk found. */
  changed(): Readonly<Record<string, readonly string[]>> {
    return Object.fromEntries([...this.#changed].map(([table, ids]) => [table, [...ids].sort()]));
  }

  /** One walk over all tables. Stops between two pages when told to; then what was known stays. */
  async walk(stopped: () => boolean): Promise<void> {
    const found = new Map<string, ReadonlySet<string>>();
    for (const table of this.#tables) {
      const ids = new Set<string>();
      await this.#adopt(table);
      for (let after: string | null = ''; after !== null && !stopped(); ) {
        const here: string = after;
        after = await unhurried(() => this.#step(table, here, ids));
      }
      if (stopped()) return;
      found.set(table.name, ids);
    }
    this.#changed = found;
  }

  /** Rows that are older than the watch: the first walk has the log tell of them as they are. Once in a database's life. */
  async #adopt(table: WatchedTable): Promise<void> {
    if (table.numbered || this.#adopted.has(table)) return;
    await this.db.transaction(async (tx) => {
      await tx.query(`LOCK TABLE "${table.name}" IN SHARE MODE`);
      const lines = await tx.query<unknown[]>(
        `SELECT FROM "audit_lines" "l" WHERE ${telling('l', table.name)} LIMIT 1`,
      );
      if (lines.length > 0) return;
      for await (const { id, told } of rowsOf(tx, table)) {
        if (told === null) continue;
        await this.audit.append(tx, {
          act: 'database.adopt',
          outcome: 'success',
          by: { name: 'keystead' },
          target: id,
          row: told,
        });
      }
    });
    this.#adopted.add(table);
  }

  /** One page, in one snapshot: rows and their lines were committed together. Gives where the next one begins, if any. */
  #step(table: WatchedTable, after: string, ids: Set<string>): Promise<string | null> {
    return this.db.transaction('REPEATABLE READ', async (tx) => {
      const rows = await table.page(tx, after, PAGE);
      const lines = await newest(tx, table.name, after);
      const full = rows.length === PAGE || lines.length === PAGE;
      const end = full ? least(rows.at(PAGE - 1)?.id, lines.at(PAGE - 1)?.target) : undefined;
      const within = (id: string) => end === undefined || id <= end;
      const byId = new Map(lines.map((line) => [line.target, line]));
      for (const { id, told: stored } of rows) {
        if (within(id) && !agree(stored, byId.get(id))) ids.add(id);
        byId.delete(id);
      }
      for (const { target, row } of byId.values()) if (within(target) && row.sha256 !== null) ids.add(target);
      return end ?? null;
    });
  }
}

async function* rowsOf(tx: EntityManager, table: WatchedTable): AsyncGenerator<WatchedRow> {
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page: readonly WatchedRow[] = await table.page(tx, after, PAGE);
    yield* page;
    after = page.length === PAGE ? page.at(-1)?.id : undefined;
  }
}

/** A row agrees with the newest line, which was the first after its number. */
function agree(stored: ToldRow | null, line: NewestLine | undefined): boolean {
  if (stored === null) return line === undefined;
  if (line === undefined || stored.sha256 !== line.row.sha256 || stored.seq !== line.row.seq) return false;
  if (stored.seq === undefined) return true;
  const number = BigInt(stored.seq);
  return number <= BigInt(line.seq) && number > BigInt(line.before ?? 0);
}

/** The newest line that tells of each row after that id. */
async function newest(tx: EntityManager, table: string, after: string): Promise<NewestLine[]> {
  const lines = await tx.query<{ target: string; seq: string; detail: string; before: string | null }[]>(
    `SELECT DISTINCT ON ("l"."target" COLLATE "C") "l"."target", "l"."seq", "l"."detail",
       (SELECT max("b"."seq") FROM "audit_lines" "b"
        WHERE "b"."target" COLLATE "C" = "l"."target" AND "b"."seq" < "l"."seq" AND ${telling('b', table)}) AS "before"
     FROM "audit_lines" "l" WHERE "l"."target" COLLATE "C" > $1 AND ${telling('l', table)}
     ORDER BY "l"."target" COLLATE "C", "l"."seq" DESC LIMIT ${PAGE}`,
    [after],
  );
  return lines.map(({ detail, ...line }) => ({ ...line, row: told(detail) }));
}

/** What the line tells; of a line that was spoilt, what no row agrees with. */
function told(detail: string): ToldRow {
  try {
    return Line.parse(JSON.parse(detail)).row;
  } catch {
    return { of: '', sha256: 'unreadable' };
  }
}

const Line = z.looseObject({
  row: z.strictObject({ of: z.string(), sha256: z.string().nullable(), seq: z.string().optional() }),
});

/** As in the index audit_lines_rows, and of that table. */
function telling(alias: string, table: string): string {
  return `"${alias}"."detail" LIKE '%"row":{"of":%' AND "${alias}"."detail" LIKE '%"row":{"of":"${table}"%'`;
}

function least(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a < b ? a : b;
}
