import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { Caller } from '../access/caller.js';
import { AuditLog } from '../audit/audit-log.js';
import type { Key } from './key.entity.js';
import { KeyStore } from './key-store.js';
import type { KeyTarget } from './key-target.js';
import { toldKey } from './told-keys.js';

/** An act on one key, as its audit line names it. */
export interface KeyAct {
  readonly by: Caller;
  readonly act: string;
}

/** What an act did: the key as it is now, the same object when nothing changed, and what the audit line tells besides. */
export interface Done {
  readonly key: Key;
  readonly detail?: object | undefined;
  readonly unitId?: string | undefined;
  /** The act removed the key. */
  readonly gone?: boolean | undefined;
}

/** Acts that change a key: one transaction that locks its row, checks, changes, and writes the audit line last. */
@Injectable()
export class KeyActs {
  constructor(
    private readonly db: DataSource,
    private readonly store: KeyStore,
    private readonly audit: AuditLog,
  ) {}

  /** The key after the act. Throws what the work throws; then nothing was changed. */
  run(
    { by, act }: KeyAct,
    target: KeyTarget,
    work: (tx: EntityManager, key: Key, now: Date) => Promise<Done>,
  ): Promise<Key> {
    return this.db.transaction(async (tx) => {
      const found = await this.store.lock(tx, target);
      const { key, detail, unitId, gone } = await work(tx, found, new Date());
      const kept = key === found && !gone;
      await this.audit.append(tx, {
        act,
        outcome: 'success',
        by,
        instanceId: key.instanceId,
        unitId,
        target: key.id,
        detail: { keyRingId: key.keyRingId, ...detail },
        row: kept ? undefined : await toldKey(tx, key.id),
      });
      return key;
    });
  }
}
