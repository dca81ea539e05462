import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import type { Permission } from '../shared/permissions.js';
import { additionalData, sealEnvelope } from './envelope.js';
import { storedRowOf } from './key-row.js';
import { assertSymmetric } from './key-rules.js';
import { assertAllowed } from './key-state.js';
import { KeyStore } from './key-store.js';
import type { KeyTarget } from './key-target.js';
import { KeyUnits } from './key-units.js';
import { type CiphertextInput, openedBy } from './unwrap-key.command.js';
import { WrapCounter } from './wrap-counter.js';

export interface Rewrapped {
  readonly ciphertext: string;
  /** The version that made the given ciphertext, and the latest, which made the new one. */
  readonly versionId: string;
  readonly rewrappedVersionId: string;
}

/** Encrypts the data key of a ciphertext anew, under the latest version, without showing it. */
export class RewrapKey extends Command<Rewrapped> {
  static readonly permission: Permission = 'key.use';
  static readonly act = 'kms.secrets.rewrap';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly input: CiphertextInput,
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@CommandHandler(RewrapKey)
export class RewrapKeyHandler implements ICommandHandler<RewrapKey> {
  constructor(
    private readonly store: KeyStore,
    private readonly audit: AuditLog,
    private readonly units: KeyUnits,
    private readonly wraps: WrapCounter,
  ) {}

  async execute({ by, target, input: { ciphertext, aad = [] } }: RewrapKey): Promise<Rewrapped> {
    const key = await this.store.findAsAsked(target);
    assertSymmetric(key);
    assertAllowed('rewrap', key, new Date());
    const { sealed, version } = await openedBy(this.store, key, ciphertext);
    const latest = await this.store.latest(key);
    const data = additionalData(aad);
    const from = { ...storedRowOf(key, version), aad: data, sealed };
    const to = { ...storedRowOf(key, latest), aad: data };
    const { unitId, result } = await this.units.use(key, async (unit) => {
      await this.wraps.spend(latest.id); // each unit that is asked encrypts
      return unit.reencrypt(from, to);
    });
    await this.audit.record({
      act: RewrapKey.act,
      outcome: 'success',
      by,
      instanceId: key.instanceId,
      unitId,
      target: key.id,
      detail: { keyVersionId: version.id, rewrappedKeyVersionId: latest.id },
    });
    return {
      ciphertext: sealEnvelope(result, latest.id),
      versionId: version.id,
      rewrappedVersionId: latest.id,
    };
  }
}
