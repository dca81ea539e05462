import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type pg from 'pg';
import { DataSource } from 'typeorm';

const CHECK_EVERY_MS = 1_000;
const CHECK_DEADLINE_MS = 1_500;

/** Whether the database takes writes, as of the last second. Watched in the background, so that asking costs nothing. */
@Injectable()
export class DatabaseWatch implements OnApplicationBootstrap, OnApplicationShutdown {
  #writable = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly db: DataSource) {}

  get writable(): boolean {
    return this.#writable;
  }

  /** The connections of the pool: in use, open and idle; and how many wait for one. */
  get pool(): { readonly inUse: number; readonly idle: number; readonly waiting: number } {
    const { totalCount, idleCount, waitingCount } = (this.db.driver as unknown as { master: pg.Pool }).master;
    return { inUse: totalCount - idleCount, idle: idleCount, waiting: waitingCount };
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.#check();
    this.#timer = setInterval(() => void this.#check(), CHECK_EVERY_MS);
  }

  onApplicationShutdown(): void {
    clearInterval(this.#timer);
  }

  /** The audit log is a table here: where nothing can be inserted there, nothing may be served. */
  async #check(): Promise<void> {
    let patience: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      patience = setTimeout(() => resolve(false), CHECK_DEADLINE_MS);
    });
    const query = `SELECT NOT pg_is_in_recovery() AND has_table_privilege('audit_lines', 'INSERT') AS "writable"`;
    const answer = this.db.query<{ writable: boolean }[]>(query).then(
      ([row]) => row?.writable === true,
      () => false, // an outage is the answer; the pool logs it
    );
    this.#writable = await Promise.race([answer, late]);
    clearTimeout(patience);
  }
}
