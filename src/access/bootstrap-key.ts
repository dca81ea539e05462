import { join } from 'node:path';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import type { Logger } from 'pino';
import { DataSource, type EntityManager, IsNull } from 'typeorm';
import type { Initiator } from '../audit/audit-entry.js';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { LOG } from '../config/log.js';
import { readPrivateFile, writeDurably } from '../shared/durable-file.js';
import { ApiKey } from './api-key.entity.js';
import { hashOfApiKey, isApiKey, makeApiKey } from './api-key-text.js';
import { KEYSTEAD } from './caller.js';
import { issueApiKey, revokeApiKey } from './issue-api-key.js';

/** Key of the advisory lock under which one server at a time looks for, or makes, the first key. */
const BOOTSTRAP_LOCK = 0x6b7362; // 'ksb'
const FILE_NAME = 'bootstrap-api-key';
const NAME = 'bootstrap';

/** In production nobody works with the first key: it is used once, soon, to make one that is somebody's. */
const LIFE_MS = 24 * 3_600_000;

/**
 * The first Manager key. It exists in two places, a file and a row, and a crash may come between them:
 * the file is written first and durable, then the row. A file without a row was left by such a crash: its key gets its
 * row now. A row without a file never comes from here, and a file is believed only while nobody else can have read it.
 * While a Manager key is in force, whichever it is, nothing is made; the file may be deleted.
 * In production it lives for a day and makes one other key (api-keys.command.ts).
 */
@Injectable()
export class BootstrapKey implements OnApplicationBootstrap {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly config: Config,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const made = await this.#locked(async (tx) => {
      if (await managerKeyInForce(tx)) return false;
      const left = readOwnKey(this.#file);
      if (left !== undefined && !(await tx.existsBy(ApiKey, { hash: hashOfApiKey(left) }))) {
        await this.#issue(tx, left, KEYSTEAD);
        return true;
      }
      await this.#make(tx, KEYSTEAD);
      return true;
    });
    if (made) this.log.info({ event: 'bootstrap-api-key', file: this.#file });
  }

  /** A new first key, whatever others are in force, for somebody who lost his; one that waits for its use is revoked. Its file. */
  async renew(by: Initiator): Promise<string> {
    await this.#locked(async (tx) => {
      const waiting = await tx.find(ApiKey, {
        where: { bootstrap: true, revokedAt: IsNull() },
        lock: { mode: 'pessimistic_write' },
      });
      for (const key of waiting) await revokeApiKey(tx, this.audit, key, { by, why: 'renewed' });
      await this.#make(tx, by);
    });
    return this.#file;
  }

  get #file(): string {
    return join(this.config.sharedDir, FILE_NAME);
  }

  #locked<T>(work: (tx: EntityManager) => Promise<T>): Promise<T> {
    return this.db.transaction(async (tx) => {
      await tx.query('SELECT pg_advisory_xact_lock($1)', [BOOTSTRAP_LOCK]);
      return work(tx);
    });
  }

  async #make(tx: EntityManager, by: Initiator): Promise<void> {
    const key = makeApiKey();
    writeDurably(this.#file, `${key}\n`);
    await this.#issue(tx, key, by);
  }

  async #issue(tx: EntityManager, key: string, by: Initiator): Promise<void> {
    const once = this.config.profile === 'production';
    const expiresAt = once ? new Date(Date.now() + LIFE_MS) : null;
    const about = { name: NAME, roles: ['Manager'], expiresAt, bootstrap: once, act: 'api-key.bootstrap', by } as const;
    await issueApiKey(tx, this.audit, key, about);
  }
}

async function managerKeyInForce(tx: EntityManager): Promise<boolean> {
  const rows = await tx.query<unknown[]>(
    `SELECT 1 FROM "api_keys"
     WHERE 'Manager' = ANY ("roles") AND "revokedAt" IS NULL AND ("expiresAt" IS NULL OR "expiresAt" > $1) LIMIT 1`,
    [new Date()],
  );
  return rows.length > 0;
}

/** The key in the file, if it is a whole one in a file of ours that only we could read; otherwise undefined. */
function readOwnKey(file: string): string | undefined {
  const text = readPrivateFile(file)?.toString().trim();
  return text !== undefined && isApiKey(text) ? text : undefined;
}
