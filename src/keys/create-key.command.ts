import { randomUUID } from 'node:crypto';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { AuditLog } from '../audit/audit-log.js';
import { UnitPicker } from '../crypto-units/unit-picker.js';
import { equalBytes } from '../shared/bytes.js';
import { KeysteadError } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import { Key, KeyVersion } from './key.entity.js';
import { rowOf } from './key-row.js';

const PROOF = Buffer.from('keystead/new key opens on another unit');

/**
 * Generates a root key in one unit, proves on another that it opens there, and only then keeps it. As for every command
 * of this folder, an instance that is not named is the only one there is.
 */
export class CreateRootKey extends Command<Key> {
  static readonly permission: Permission = 'key.create';
  constructor(
    readonly by: string,
    readonly instanceId: string | undefined,
    readonly name: string,
  ) {
    super();
  }
}

@CommandHandler(CreateRootKey)
export class CreateRootKeyHandler implements ICommandHandler<CreateRootKey> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly units: UnitPicker,
  ) {}

  async execute({ by, instanceId: named, name }: CreateRootKey): Promise<Key> {
    const instanceId = await this.units.servedInstance(named);
    const id = randomUUID();
    const createdAt = new Date();
    const key = { id, instanceId, name, createdBy: by, createdAt };
    const version = { id, keyId: id, algorithm: 'AES-256', state: 'active', policy: '', createdAt };
    const row = rowOf(key, version);
    const made = await this.units.use(instanceId, async (unit) => {
      const { blob, mac } = await unit.generateRootKey(row);
      return { blob, mac, sealed: await unit.encrypt(row, blob, mac, Buffer.from(id), PROOF) };
    });
    const { blob, mac, sealed } = made.result;
    const proved = await this.units.use(
      instanceId,
      (unit) => unit.decrypt(row, blob, mac, Buffer.from(id), sealed),
      made.unitId,
    );
    if (!equalBytes(proved.result, PROOF)) {
      throw new KeysteadError(
        'UNIT_FAULT',
        `crypto unit ${proved.unitId} did not open the new key; nothing was created`,
      );
    }
    await this.db.transaction(async (tx) => {
      await tx.insert(Key, key);
      await tx.insert(KeyVersion, { ...version, blob, mac });
      await this.audit.append(tx, {
        act: 'kms.secrets.create',
        outcome: 'success',
        by,
        instanceId,
        unitId: made.unitId,
        target: id,
        detail: { name, provedOn: proved.unitId },
      });
    });
    return key;
  }
}
