import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { AuditLog } from '../audit/audit-log.js';
import { UnitPicker } from '../crypto-units/unit-picker.js';
import { KeysteadError } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import { additionalData, openEnvelope, sealEnvelope } from './envelope.js';
import { Key, KeyVersion } from './key.entity.js';
import { rowOf } from './key-row.js';

const DATA_KEY_BYTES = 32;

/** Encrypts a data key under a root key. Without a plaintext a unit makes a data key of 32 bytes, which is returned. */
export class WrapKey extends Command<{ ciphertext: string; versionId: string; plaintext: Buffer | null }> {
  static readonly permission: Permission = 'key.use';
  constructor(
    readonly by: string,
    readonly instanceId: string | undefined,
    readonly keyId: string,
    readonly plaintext: Buffer | undefined,
    readonly aad: readonly string[],
  ) {
    super();
  }
}

@CommandHandler(WrapKey)
export class WrapKeyHandler implements ICommandHandler<WrapKey> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly units: UnitPicker,
  ) {}

  async execute({ by, instanceId: named, keyId, plaintext, aad }: WrapKey) {
    const instanceId = await this.units.servedInstance(named);
    const { key, version } = await latestVersion(this.db, instanceId, keyId);
    const served = await this.units.use(instanceId, async (unit) => {
      const dataKey = plaintext ?? (await unit.random(DATA_KEY_BYTES));
      const sealed = await unit.encrypt(rowOf(key, version), version.blob, version.mac, additionalData(aad), dataKey);
      return { sealed, dataKey };
    });
    await this.audit.record({
      act: 'kms.secrets.wrap',
      outcome: 'success',
      by,
      instanceId,
      unitId: served.unitId,
      target: keyId,
      detail: { keyVersionId: version.id },
    });
    const { sealed, dataKey } = served.result;
    return {
      ciphertext: sealEnvelope(sealed, version.id),
      versionId: version.id,
      plaintext: plaintext === undefined ? dataKey : null,
    };
  }
}

/** Decrypts what WrapKey returned. CIPHERTEXT_INVALID for anything else, whatever was wrong with it. */
export class UnwrapKey extends Command<{ plaintext: Buffer; versionId: string }> {
  static readonly permission: Permission = 'key.use';
  constructor(
    readonly by: string,
    readonly instanceId: string | undefined,
    readonly keyId: string,
    readonly ciphertext: string,
    readonly aad: readonly string[],
  ) {
    super();
  }
}

@CommandHandler(UnwrapKey)
export class UnwrapKeyHandler implements ICommandHandler<UnwrapKey> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly units: UnitPicker,
  ) {}

  async execute({ by, instanceId: named, keyId, ciphertext, aad }: UnwrapKey) {
    const instanceId = await this.units.servedInstance(named);
    const key = await findKey(this.db, instanceId, keyId);
    const { sealed, versionId } = openEnvelope(ciphertext);
    const version = await this.db.manager.findOneBy(KeyVersion, { id: versionId, keyId });
    if (version === null) {
      throw new KeysteadError(
        'CIPHERTEXT_INVALID',
        'the ciphertext is not one that wrap returned for this key and aad',
      );
    }
    const served = await this.units.use(instanceId, (unit) =>
      unit.decrypt(rowOf(key, version), version.blob, version.mac, additionalData(aad), sealed),
    );
    await this.audit.record({
      act: 'kms.secrets.unwrap',
      outcome: 'success',
      by,
      instanceId,
      unitId: served.unitId,
      target: keyId,
      detail: { keyVersionId: version.id },
    });
    return { plaintext: served.result, versionId: version.id };
  }
}

async function findKey(db: DataSource, instanceId: string, keyId: string): Promise<Key> {
  const key = await db.manager.findOneBy(Key, { id: keyId, instanceId });
  if (key === null) throw new KeysteadError('NOT_FOUND', `there is no key ${keyId} in this instance`);
  return key;
}

async function latestVersion(
  db: DataSource,
  instanceId: string,
  keyId: string,
): Promise<{ key: Key; version: KeyVersion }> {
  const key = await findKey(db, instanceId, keyId);
  const version = await db.manager.findOneOrFail(KeyVersion, { where: { keyId }, order: { createdAt: 'DESC' } });
  return { key, version };
}
