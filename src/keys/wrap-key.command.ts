import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import type { Permission } from '../shared/permissions.js';
import { additionalData, sealEnvelope } from './envelope.js';
import { rowOf } from './key-row.js';
import { assertSymmetric, daysToExpiry } from './key-rules.js';
import { assertAllowed } from './key-state.js';
import { KeyStore } from './key-store.js';
import type { KeyTarget } from './key-target.js';
import { KeyUnits } from './key-units.js';
import { WrapCounter } from './wrap-counter.js';

const DATA_KEY_BYTES = 32;

export interface WrapInput {
  readonly plaintext?: Buffer | undefined;
  readonly aad?: readonly string[] | undefined;
}

export interface Wrapped {
  /** Base64 of the envelope, opaque to clients. */
  readonly ciphertext: string;
  readonly versionId: string;
  /** The data key, when it was made here; null when the client gave it. */
  readonly plaintext: Buffer | null;
}

/** Encrypts a data key under a root key. Without a plaintext a unit makes a data key of 32 bytes, which is returned. */
export class WrapKey extends Command<Wrapped> {
  static readonly permission: Permission = 'key.use';
  static readonly act = 'kms.secrets.wrap';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly input: WrapInput,
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@CommandHandler(WrapKey)
export class WrapKeyHandler implements ICommandHandler<WrapKey> {
  constructor(
    private readonly store: KeyStore,
    private readonly audit: AuditLog,
    private readonly units: KeyUnits,
    private readonly wraps: WrapCounter,
  ) {}

  async execute({ by, target, input: { plaintext, aad = [] } }: WrapKey): Promise<Wrapped> {
    const key = await this.store.findAsAsked(target);
    const now = new Date();
    assertSymmetric(key);
    assertAllowed('wrap', key, now);
    const version = await this.store.latest(key);
    const { unitId, result } = await this.units.use(key, async (unit) => {
      await this.wraps.spend(version.id); // each unit that is asked encrypts
      const dataKey = plaintext ?? (await unit.random(DATA_KEY_BYTES));
      const sealed = await unit.encrypt(rowOf(key, version), version.blob, version.mac, additionalData(aad), dataKey);
      return { sealed, dataKey };
    });
    await this.audit.record({
      act: WrapKey.act,
      outcome: 'success',
      by,
      instanceId: key.instanceId,
      unitId,
      target: key.id,
      detail: { keyVersionId: version.id, ...daysToExpiry(key, now) },
    });
    return {
      ciphertext: sealEnvelope(result.sealed, version.id),
      versionId: version.id,
      plaintext: plaintext === undefined ? result.dataKey : null,
    };
  }
}
