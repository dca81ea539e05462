import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import type { Permission } from '../shared/permissions.js';
import type { GrantOperation } from './key-grant.js';
import { storedRowOf } from './key-row.js';
import { assertAsymmetric } from './key-rules.js';
import { assertAllowed } from './key-state.js';
import { KeyStore } from './key-store.js';
import type { KeyTarget } from './key-target.js';
import { KeyUnits } from './key-units.js';

export interface PublicKeyView {
  readonly keyId: string;
  readonly versionId: string;
  /** SPKI DER. */
  readonly publicKey: Buffer;
}

/** The public half of an asymmetric key. KEY_USAGE for a symmetric one, MATERIAL_ABSENT. */
export class GetPublicKey extends Query<PublicKeyView> {
  static readonly permission: Permission = 'key.read';
  static readonly act = 'kms.public-key.read';
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
    return 'get-public-key';
  }
}

@QueryHandler(GetPublicKey)
export class GetPublicKeyHandler implements IQueryHandler<GetPublicKey> {
  constructor(
    private readonly store: KeyStore,
    private readonly units: KeyUnits,
    private readonly audit: AuditLog,
  ) {}

  async execute({ by, target }: GetPublicKey): Promise<PublicKeyView> {
    const key = await this.store.find(target);
    assertAsymmetric(key);
    assertAllowed('read the public key of', key, new Date());
    const version = await this.store.latest(key);
    const { unitId, result } = await this.units.use(key, (unit) => unit.publicKey(storedRowOf(key, version)));
    await this.audit.record({
      act: GetPublicKey.act,
      outcome: 'success',
      by,
      instanceId: key.instanceId,
      unitId,
      target: key.id,
    });
    return { keyId: key.id, versionId: version.id, publicKey: result };
  }
}
