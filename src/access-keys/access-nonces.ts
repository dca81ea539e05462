import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from 'pino';
import { DataSource } from 'typeorm';
import { LOG } from '../config/log.js';
import { sha256 } from '../shared/bytes.js';
import { messageOf } from '../shared/errors.js';

const SWEEP_EVERY_MS = 60_000;

/** Nonces of signed requests, in the database, so that all servers agree which were seen. */
@Injectable()
export class AccessNonces implements OnApplicationBootstrap, OnApplicationShutdown {
  #timer: NodeJS.Timeout | undefined;
  #sweep: Promise<void> | undefined;

  constructor(
    private readonly db: DataSource,
    @Inject(LOG) private readonly log: Logger,
  ) {}

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
    const rows = await this.db.query<unknown[]>(
      `INSERT INTO "access_nonces" ("accessKeyId", "nonceHash", "until") VALUES ($1, $2, $3)
       ON CONFLICT ("accessKeyId", "nonceHash") DO UPDATE SET "until" = excluded."until"
       WHERE "access_nonces"."until" <= $4 RETURNING 1`,
      [accessKeyId, sha256(nonce), until, new Date()],
    );
    return rows.length > 0;
  }

  /** Forgets nonces of requests that are too old to be taken. */
  async sweep(): Promise<void> {
    await this.db.query(`DELETE FROM "access_nonces" WHERE "until" <= $1`, [new Date()]);
  }
}
