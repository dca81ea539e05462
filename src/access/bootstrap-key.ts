import { join } from 'node:path';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import type { Logger } from 'pino';
import { DataSource, type EntityManager } from 'typeorm';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { LOG } from '../config/log.js';
import { readPrivateFile, writeDurably } from '../shared/durable-file.js';
import { ApiKey } from './api-key.entity.js';
import { hashOfApiKey, isApiKey, makeApiKey } from './api-key-text.js';
import { KEYSTEAD } from './caller.js';
import { issueApiKey } from './issue-api-key.js';

/** Key of the advisory lock under which one server at a time looks for, or makes, the first key. */
const BOOTSTRAP_LOCK = 0x6b7362; // 'ksb'
const FILE_NAME = 'bootstrap-api-key';
const NAME = 'bootstrap';

/**
 * The first Manager key. It exists in two places, a file and a row, and a crash may come between them:
 * the file is written first and durable, then the row. A file without a row was left by such a crash: its key gets its
 * row now. A row without a file never comes from here, and a file is believed only while nobody else can have read it.
 * While a Manager key is in force, whichever it is, nothing is made; the file may be deleted.
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
    const file = join(this.config.sharedDir, FILE_NAME);
    const made = await this.db.transaction(async (tx) => {
      await tx.query('SELECT pg_advisory_xact_lock($1)', [BOOTSTRAP_LOCK]);
      if (await managerKeyInForce(tx)) return false;
      const left = readOwnKey(file);
      if (left !== undefined && !(await tx.existsBy(ApiKey, { hash: hashOfApiKey(left) }))) {
        await this.#issue(tx, left);
        return true;
      }
      const key = makeApiKey();
      writeDurably(file, `${key}\n`);
      await this.#issue(tx, key);
      return true;
    });
    if (made) this.log.info({ event: 'bootstrap-api-key', file });
  }

  #issue(tx: EntityManager, key: string): Promise<string> {
    const first = { name: NAME, roles: ['Manager'], expiresAt: null } as const;
    return issueApiKey(tx, this.audit, key, { ...first, act: 'api-key.bootstrap', by: KEYSTEAD });
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
