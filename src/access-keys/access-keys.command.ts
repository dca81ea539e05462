import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import { assertGrants } from '../access/api-key-view.js';
import type { Caller } from '../access/caller.js';
import type { Grant } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import { UnitPicker } from '../crypto-units/unit-picker.js';
import { Instance } from '../instances/instance.entity.js';
import { noInstance } from '../instances/read-instances.query.js';
import { equalBytes } from '../shared/bytes.js';
import { FieldError, KeysteadError, needs } from '../shared/errors.js';
import type { Permission, Role } from '../shared/permissions.js';
import { AccessKey } from './access-key.entity.js';
import { type AccessKeyDialect, type AccessKeyView, accessKeyViewOf } from './access-key.js';
import { accessKeyRow, secretAad } from './access-key-row.js';
import { newAccessKeyText } from './access-key-text.js';
import { toldAccessKey } from './told-access-keys.js';

export interface NewAccessKey {
  readonly dialect: AccessKeyDialect;
  readonly instanceId: string;
  readonly name: string;
  /** Manager when neither roles nor scopes are given. */
  readonly roles?: readonly Role[] | undefined;
  readonly scopes?: readonly Omit<Grant, 'instanceId'>[] | undefined;
  readonly expiresAt?: Date | undefined;
}

export interface NewAccessKeyView extends AccessKeyView {
  readonly secret: string;
}

/** Makes an access key. Its secret is in the answer and nowhere else in clear. */
export class CreateAccessKey extends Command<NewAccessKeyView> {
  static readonly permission: Permission = 'access-key.manage';
  static readonly act = 'access-key.create';
  constructor(
    readonly by: Caller,
    readonly input: NewAccessKey,
  ) {
    super();
  }
}

@CommandHandler(CreateAccessKey)
export class CreateAccessKeyHandler implements ICommandHandler<CreateAccessKey> {
  constructor(
    private readonly db: DataSource,
    private readonly units: UnitPicker,
    private readonly audit: AuditLog,
  ) {}

  async execute({ by, input }: CreateAccessKey): Promise<NewAccessKeyView> {
    const createdAt = new Date();
    await assertInstance(this.db.manager, input.instanceId); // before units are asked, and again when it is stored
    const { id, secret } = newAccessKeyText(input.dialect);
    const planned = plannedOf(id, input, createdAt);
    const { unitId, ...sealed } = await this.#seal(planned, secret);
    const key: AccessKey = { ...planned, ...sealed };
    await this.db.transaction(async (tx) => {
      await assertInstance(tx, key.instanceId);
      await tx.insert(AccessKey, key);
      await this.audit.append(tx, {
        act: CreateAccessKey.act,
        outcome: 'success',
        by,
        instanceId: key.instanceId,
        unitId,
        target: id,
        detail: {
          name: key.name,
          dialect: key.dialect,
          roles: key.roles,
          scopes: key.scopes,
          expiresAt: key.expiresAt,
        },
        row: toldAccessKey(key),
      });
    });
    return { ...accessKeyViewOf(key), secret };
  }

  /** Seals the secret in one unit, and opens it in another one where there is another. */
  async #seal(planned: Planned, text: string) {
    const { instanceId } = planned;
    const row = accessKeyRow(planned);
    const aad = secretAad(planned.id);
    const plaintext = Buffer.from(text);
    const { unitId, result } = await this.units.use(instanceId, async (unit) => {
      const { blob, mac } = await unit.generateRootKey(row);
      return { blob, mac, sealed: await unit.encrypt(row, blob, mac, aad, plaintext) };
    });
    const { blob, mac, sealed } = result;
    const proof = await this.units.use(instanceId, (unit) => unit.decrypt(row, blob, mac, aad, sealed), unitId);
    const opened = equalBytes(proof.result, plaintext);
    for (const bytes of [plaintext, proof.result]) bytes.fill(0);
    needs(opened, 'UNIT_FAULT', `crypto unit ${proof.unitId} did not open the new access key; nothing was stored`);
    return { unitId, blob, mac, sealed };
  }
}

async function assertInstance(db: EntityManager, id: string): Promise<void> {
  const instance = await db.findOneBy(Instance, { id });
  if (instance === null || instance.deletedAt !== null) throw noInstance(id);
}

type Planned = Omit<AccessKey, 'blob' | 'mac' | 'sealed'>;

function plannedOf(
  id: string,
  { dialect, instanceId, name, expiresAt, ...given }: NewAccessKey,
  createdAt: Date,
): Planned {
  const manager = given.roles === undefined && given.scopes === undefined;
  const roles: Role[] = manager ? ['Manager'] : [...(given.roles ?? [])];
  const scopes = (given.scopes ?? []).map((scope) => ({ ...scope, instanceId }));
  // an access key may have no role at all: then grants alone say what it may do
  assertGrants({ name, roles: roles.length + scopes.length === 0 ? ['Reader'] : roles, scopes, expiresAt }, createdAt);
  const partial = scopes.every(({ keyRingId, keyId }) => (keyRingId ?? keyId) !== undefined);
  if (!partial) {
    throw new FieldError('FIELD_INVALID', 'the field scopes must name a key ring or key each', {
      type: 'field',
      name: 'scopes',
    });
  }
  return { id, dialect, instanceId, name, roles, scopes, createdAt, expiresAt: expiresAt ?? null, revokedAt: null };
}

/** Ends an access key: no request that it signs is served from then on. ACCESS_KEY_NOT_FOUND. */
export class RevokeAccessKey extends Command<AccessKeyView> {
  static readonly permission: Permission = 'access-key.manage';
  static readonly act = 'access-key.revoke';
  constructor(
    readonly by: Caller,
    readonly id: string,
  ) {
    super();
  }
}

@CommandHandler(RevokeAccessKey)
export class RevokeAccessKeyHandler implements ICommandHandler<RevokeAccessKey> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
  ) {}

  execute({ by, id }: RevokeAccessKey): Promise<AccessKeyView> {
    return this.db.transaction(async (tx) => {
      const key = await tx.findOne(AccessKey, { where: { id }, lock: { mode: 'pessimistic_write' } });
      if (key === null) {
        const message = `there is no access key ${id}; 'kp access-key list' shows those there are`;
        throw new KeysteadError('ACCESS_KEY_NOT_FOUND', message);
      }
      if (key.revokedAt !== null) return accessKeyViewOf(key);
      key.revokedAt = new Date();
      await tx.update(AccessKey, { id }, { revokedAt: key.revokedAt });
      await this.audit.append(tx, {
        act: RevokeAccessKey.act,
        outcome: 'success',
        by,
        instanceId: key.instanceId,
        target: id,
        detail: { name: key.name },
        row: toldAccessKey(key),
      });
      return accessKeyViewOf(key);
    });
  }
}
