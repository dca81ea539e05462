import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Caller } from '../access/caller.js';
import { AuditLog } from '../audit/audit-log.js';
import { DEFAULT_RING } from '../key-rings/key-ring-view.js';
import { RingContents } from '../key-rings/ring-contents.js';
import { Key } from './key.entity.js';
import { KeyUnits } from './key-units.js';
import { MoveKey } from './move-key.command.js';
import { toldKey } from './told-keys.js';

/** The keys in a ring, for whoever deletes the ring. */
@Injectable()
export class KeysInRings extends RingContents {
  constructor(
    private readonly units: KeyUnits,
    private readonly audit: AuditLog,
  ) {
    super();
  }

  async count(tx: EntityManager, instanceId: string, keyRingId: string): Promise<{ all: number; alive: number }> {
    const [row] = await tx.query<{ all: string; alive: string }[]>(
      `SELECT coalesce(sum("keys"), 0) AS "all", coalesce(sum("keys") FILTER (WHERE "state" <> 5), 0) AS "alive"
       FROM "key_totals" WHERE "instanceId" = $1 AND "keyRingId" = $2`,
      [instanceId, keyRingId],
    );
    return { all: Number(row?.all ?? 0), alive: Number(row?.alive ?? 0) };
  }

  async moveToDefault(tx: EntityManager, by: Caller, instanceId: string, keyRingId: string): Promise<void> {
    const keys = await tx.find(Key, { where: { instanceId, keyRingId }, lock: { mode: 'pessimistic_write' } });
    const updatedAt = new Date();
    for (const key of keys) {
      await this.units.change(tx, key, { keyRingId: DEFAULT_RING, updatedAt });
      const detail = { initialValue: { keyRingId }, newValue: { keyRingId: DEFAULT_RING } };
      const about = { by, instanceId, target: key.id, detail, row: await toldKey(tx, key.id) };
      await this.audit.append(tx, { act: MoveKey.act, outcome: 'success', ...about });
    }
  }
}
