import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AuditLog } from '../audit/audit-log.js';
import { type Served, UnitPicker } from '../crypto-units/unit-picker.js';
import { equalBytes } from '../shared/bytes.js';
import { KeysteadError, needs } from '../shared/errors.js';
import type { CryptoClient } from '../unit-agent/client.js';
import type { RowChange, StoredRow } from '../unit-agent/protocol.js';
import { Key, KeyVersion } from './key.entity.js';
import { KeyIntegrity } from './key-integrity.js';
import { nextOf, rowOf } from './key-row.js';

/** Rows of one frame to a unit: with their policies, before and after, far below its limit. */
const ROWS_PER_FRAME = 200;

/** What keys ask of units: use, and new MACs when a key changes. */
@Injectable()
export class KeyUnits {
  constructor(
    private readonly units: UnitPicker,
    private readonly integrity: KeyIntegrity,
    private readonly audit: AuditLog,
  ) {}

  /**
   * Does the work for the key on a serving unit. A row that units refuse is reported in health; KEY_ROW_INVALID too for one
   * of which the audit log tells otherwise.
   */
  async use<T>(
    key: Pick<Key, 'id' | 'instanceId'>,
    work: (unit: CryptoClient) => Promise<T>,
    avoid?: string,
  ): Promise<Served<T>> {
    this.integrity.assertAsTold(key.id);
    try {
      return await this.units.use(key.instanceId, work, avoid);
    } catch (cause) {
      if (cause instanceof KeysteadError && cause.code === 'KEY_ROW_INVALID') this.integrity.suspect(key.id);
      throw cause;
    }
  }

  /** The unit that made a key is not the one that proves it. UNIT_FAULT when the proof does not open as it was. */
  async prove(key: Pick<Key, 'id' | 'instanceId'>, proof: Proof, avoid: string): Promise<string> {
    const { version, row, aad, sealed, plaintext } = proof;
    const { unitId, result } = await this.use(
      key,
      (unit) => unit.decrypt(row, version.blob, version.mac, aad, sealed).catch(ownFault),
      avoid,
    );
    const opened = equalBytes(result, plaintext);
    result.fill(0);
    needs(opened, 'UNIT_FAULT', `crypto unit ${unitId} did not open the new key; nothing was changed`);
    return unitId;
  }

  /** Another unit than the one that made the MACs takes the rows for genuine; else UNIT_FAULT. Which one. */
  async proveRows(key: Pick<Key, 'id' | 'instanceId'>, rows: readonly StoredRow[], avoid: string): Promise<string> {
    const { unitId, result } = await this.use(key, (unit) => unit.checkRows(rows), avoid);
    const genuine = result.length === rows.length && result.every((one) => one);
    needs(genuine, 'UNIT_FAULT', `crypto unit ${unitId} does not know the new row; nothing was changed`);
    return unitId;
  }

  /**
   * Changes a locked key, its number, and the MACs of all its versions with it. `added` is a version that is stored with the
   * change. Returns the key as it is then. KEY_ROW_INVALID when the row is not as Keystead wrote it.
   */
  async change(tx: EntityManager, key: Key, changes: Partial<Key>, added?: AddedVersion): Promise<Key> {
    const auditSeq = await this.audit.nextSeq(tx);
    const next: Key = { ...key, ...changes, auditSeq };
    const stored = await tx.find(KeyVersion, { where: { keyId: key.id }, order: { createdAt: 'ASC', id: 'ASC' } });
    const after = nextOf(next);
    const rows: RowChange[] = stored.map((version) => ({ row: rowOf(key, version), ...pair(version), next: after }));
    if (added !== undefined) rows.push({ row: added.row, ...pair(added.version), next: after });
    const macs: Buffer[] = [];
    for (let at = 0; at < rows.length; at += ROWS_PER_FRAME) {
      const part = rows.slice(at, at + ROWS_PER_FRAME);
      const { unitId, result } = await this.use(key, (unit) => unit.changeRows(part));
      const changed = part.map(({ row, blob, next: to }, n) => {
        return { row: { ...row, ...to }, blob, mac: result[n]?.mac as Buffer };
      });
      await this.proveRows(key, changed, unitId);
      macs.push(...changed.map(({ mac }) => mac));
    }
    await tx.query(
      `UPDATE "key_versions" SET "mac" = "n"."mac" FROM unnest($1::uuid[], $2::bytea[]) AS "n" ("id", "mac")
       WHERE "key_versions"."id" = "n"."id"`,
      [stored.map(({ id }) => id), macs.slice(0, stored.length)],
    );
    if (added !== undefined) await tx.insert(KeyVersion, { ...added.version, mac: macs.at(-1) as Buffer });
    await tx.update(Key, { id: key.id }, { ...changes, auditSeq });
    return next;
  }
}

export interface AddedVersion {
  readonly version: KeyVersion;
  /** The row as its MAC covers it now. */
  readonly row: RowChange['row'];
}

/** Something that was sealed under a new version, and must open elsewhere. */
export interface Proof {
  readonly version: Pick<KeyVersion, 'blob' | 'mac'>;
  readonly row: RowChange['row'];
  readonly aad: Buffer;
  readonly sealed: Buffer;
  readonly plaintext: Buffer;
}

/** What does not open was sealed by a unit a moment ago: no client has a part in it, and another unit may do better. */
function ownFault(cause: unknown): never {
  const isOurs = cause instanceof KeysteadError && cause.code === 'CIPHERTEXT_INVALID';
  throw isOurs ? new KeysteadError('UNIT_FAULT', 'a unit did not open what another one sealed', { cause }) : cause;
}

function pair({ blob, mac }: KeyVersion): { blob: Buffer; mac: Buffer } {
  return { blob, mac };
}
