import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from 'pino';
import { DataSource } from 'typeorm';
import { LOG } from '../config/log.js';
import { BatchedStatement } from '../database/batched-statement.js';
import { ask, ownConnection } from '../database/own-connection.js';
import { sha256 } from '../shared/bytes.js';
import { messageOf } from '../shared/errors.js';

const SWEEP_EVERY_MS = 60_000;
const DEADLINE_MS = 5_000;
const SPEND = `
  INSERT INTO "access_nonces" ("accessKeyId", "nonceHash", "until")
  SELECT * FROM unnest($1::text[], $2::bytea[], $3::timestamptz[])
  ON CONFLICT ("accessKeyId", "nonceHash") DO UPDATE SET "until" = excluded."until" WHERE "access_nonces"."until" <= $4
  RETURNING "accessKeyId" || ' ' || encode("nonceHash", 'hex') AS "id"`;

/** A nonce on its way into the database. */
interface Spending {
  readonly accessKeyId: string;
  readonly hash: Buffer;
  readonly until: Date;
}

/** Nonces of signed requests, in the database, so that all servers agree which were seen. */
@Injectable()
export class AccessNonces implements OnApplicationBootstrap, OnApplicationShutdown {
  #timer: NodeJS.Timeout | undefined;
  #sweep: Promise<void> | undefined;
  /** By access key and hash, as SPEND names them. */
  readonly #spending = new Map<string, Spending>();
  readonly #spent: BatchedStatement<{ readonly id: string }>;

  constructor(
    private readonly db: DataSource,
    @Inject(LOG) private readonly log: Logger,
  ) {
    const pool = ownConnection(db, 'keystead-nonces', DEADLINE_MS);
    this.#spent = new BatchedStatement(
      (ids) => ask(pool, { name: 'spend-nonces', text: SPEND, values: this.#valuesOf(ids) }),
      ({ id }) => id,
    );
  }

  onApplicationBootstrap(): void {
    this.#timer = setInterval(() => {
      this.#sweep ??= this.sweep()
        .catch((cause) => this.log.warn({ event: 'nonces-not-swept', cause: messageOf(cause) }))
        .finally(() => {
          this.#sweep = undefined;
        });
    }, SWEEP_EVERY_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweep;
  }

  /** Remembers a nonce until then; false when it was seen before, and is still remembered. */
  async spend(accessKeyId: string, nonce: string, until: Date): Promise<boolean> {
    const hash = sha256(nonce);
    const id = `${accessKeyId} ${hash.toString('hex')}`;
    if (this.#spending.has(id)) return false; // sent twice at once
    this.#spending.set(id, { accessKeyId, hash, until });
    try {
      return (await this.#spent.find(id)) !== null;
    } finally {
      this.#spending.delete(id);
    }
  }

  /** Forgets nonces of requests that are too old to be taken. */
  async sweep(): Promise<void> {
    await this.db.query(`DELETE FROM "access_nonces" WHERE "until" <= $1`, [new Date()]);
  }

  /** In one order: servers that spend the same nonces at once wait for each other, and never in a circle. */
  #valuesOf(ids: readonly string[]): unknown[] {
    const all = [...ids].sort().map((id) => this.#spending.get(id) as Spending);
    return [
      all.map(({ accessKeyId }) => accessKeyId),
      all.map(({ hash }) => hash),
      all.map(({ until }) => until),
      new Date(),
    ];
  }
}
