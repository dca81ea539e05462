import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import type { Permission } from '../shared/permissions.js';
import type { Key } from './key.entity.js';
import type { GrantOperation } from './key-grant.js';
import { payloadAad } from './key-maker.js';
import { rowOf } from './key-row.js';
import { DESTROYED } from './key-state.js';
import { KeyStore } from './key-store.js';
import type { KeyTarget } from './key-target.js';
import { KeyUnits } from './key-units.js';
import type { KeyView } from './key-view.js';
import { keyViewOf } from './key-view-of.js';

/** A key; a standard key that is not deleted comes with its payload. */
export class GetKey extends Query<KeyView> {
  static readonly permission: Permission = 'key.payload';
  static readonly act = 'kms.secrets.read';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@QueryHandler(GetKey)
export class GetKeyHandler implements IQueryHandler<GetKey> {
  constructor(
    private readonly store: KeyStore,
    private readonly units: KeyUnits,
    private readonly audit: AuditLog,
    private readonly config: Config,
  ) {}

  async execute({ by, target }: GetKey): Promise<KeyView> {
    const key = await this.store.findAsAsked(target);
    const payload = await this.#payload(key);
    await this.audit.record({
      act: GetKey.act,
      outcome: 'success',
      by,
      instanceId: key.instanceId,
      target: key.id,
      detail: { keyState: key.state, keyRingId: key.keyRingId },
    });
    return keyViewOf(key, this.config.timers, new Date(), payload);
  }

  async #payload(key: Key): Promise<Buffer | null> {
    const { sealed } = key;
    if (sealed === null || key.state === DESTROYED) return null;
    const version = await this.store.latest(key);
    const { result } = await this.units.use(key, (unit) =>
      unit.decrypt(rowOf(key, version), version.blob, version.mac, payloadAad(key.id), sealed),
    );
    return result;
  }
}

/** A key without payload. */
export class GetKeyMetadata extends Query<KeyView> {
  static readonly permission: Permission = 'key.read';
  static readonly act = 'kms.secrets-metadata.read';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }

  get operation(): GrantOperation {
    return 'describe';
  }
}

@QueryHandler(GetKeyMetadata)
export class GetKeyMetadataHandler implements IQueryHandler<GetKeyMetadata> {
  constructor(
    private readonly store: KeyStore,
    private readonly audit: AuditLog,
    private readonly config: Config,
  ) {}

  async execute({ by, target }: GetKeyMetadata): Promise<KeyView> {
    const key = await this.store.findAsAsked(target);
    await this.audit.record({
      act: GetKeyMetadata.act,
      outcome: 'success',
      by,
      instanceId: key.instanceId,
      target: key.id,
      detail: { keyState: key.state, keyRingId: key.keyRingId },
    });
    return keyViewOf(key, this.config.timers, new Date());
  }
}
