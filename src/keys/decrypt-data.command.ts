import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import type { Permission } from '../shared/permissions.js';
import { assertSealed, boundRow, type DataContext, type SealedData } from './data-context.js';
import type { GrantOperation } from './key-grant.js';
import { assertSymmetric } from './key-rules.js';
import { assertAllowed } from './key-state.js';
import { KeyStore } from './key-store.js';
import type { KeyTarget } from './key-target.js';
import { KeyUnits } from './key-units.js';
import { WrapCounter } from './wrap-counter.js';

export interface OpenedData {
  readonly plaintext: Buffer;
  readonly keyId: string;
  readonly versionId: string;
}

export interface ReencryptedData extends SealedData {
  readonly sourceKeyId: string;
  readonly sourceVersionId: string;
}

/** Decrypts what EncryptData or GenerateDataKey sealed. CIPHERTEXT_INVALID whatever is wrong with it; state errors as there. */
export class DecryptData extends Command<OpenedData> {
  static readonly permission: Permission = 'key.use';
  static readonly act = 'kms.data.decrypt';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly input: DataContext & {
      readonly sealed: Buffer;
      readonly versionId: string;
      readonly dataKey?: boolean | undefined;
    },
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }

  get operation(): GrantOperation {
    return this.input.dataKey ? 'decrypt-data-key' : 'decrypt';
  }
}

@CommandHandler(DecryptData)
export class DecryptDataHandler implements ICommandHandler<DecryptData> {
  constructor(
    private readonly store: KeyStore,
    private readonly units: KeyUnits,
    private readonly audit: AuditLog,
  ) {}

  async execute({ by, target, input }: DecryptData): Promise<OpenedData> {
    const { sealed, versionId, dataKey } = input;
    const key = await this.store.find(target);
    assertSymmetric(key);
    assertAllowed('decrypt', key, new Date());
    const version = await this.store.version(key, versionId);
    assertSealed(sealed, version);
    const { row, blob, mac, aad } = boundRow(key, version, input);
    const { unitId, result } = await this.units.use(key, (unit) => unit.decrypt(row, blob, mac, aad, sealed));
    await this.audit.record({
      act: DecryptData.act,
      outcome: 'success',
      by,
      instanceId: key.instanceId,
      unitId,
      target: key.id,
      detail: { keyVersionId: version.id, dataKey },
    });
    return { plaintext: result, keyId: key.id, versionId: version.id };
  }
}

/** Encrypts a ciphertext anew, under the latest version of this or another key; the plaintext stays in the unit. */
export class ReencryptData extends Command<ReencryptedData> {
  static readonly permission: Permission = 'key.use';
  static readonly act = 'kms.data.reencrypt';
  constructor(
    readonly by: Caller,
    readonly from: {
      readonly target: KeyTarget;
      readonly sealed: Buffer;
      readonly versionId: string;
      readonly context: readonly string[];
    },
    readonly to: { readonly target: KeyTarget; readonly context: readonly string[] },
    readonly dialect: string,
  ) {
    super();
  }

  get scope(): readonly Scope[] {
    return [this.from.target, this.to.target];
  }
}

@CommandHandler(ReencryptData)
export class ReencryptDataHandler implements ICommandHandler<ReencryptData> {
  constructor(
    private readonly store: KeyStore,
    private readonly units: KeyUnits,
    private readonly wraps: WrapCounter,
    private readonly audit: AuditLog,
  ) {}

  async execute({ by, from, to, dialect }: ReencryptData): Promise<ReencryptedData> {
    const source = await this.store.find(from.target);
    const destination = await this.store.find(to.target);
    const now = new Date();
    for (const [key, act] of [[source, 'decrypt'] as const, [destination, 'encrypt'] as const]) {
      assertSymmetric(key);
      assertAllowed(act, key, now);
    }
    const version = await this.store.version(source, from.versionId);
    assertSealed(from.sealed, version);
    const latest = await this.store.latest(destination);
    const opened = { ...boundRow(source, version, { dialect, context: from.context }), sealed: from.sealed };
    const closed = boundRow(destination, latest, { dialect, context: to.context });
    const { unitId, result } = await this.units.use(destination, async (unit) => {
      await this.wraps.spend(latest.id); // each unit that is asked encrypts
      return unit.reencrypt(opened, closed);
    });
    await this.audit.record({
      act: ReencryptData.act,
      outcome: 'success',
      by,
      instanceId: destination.instanceId,
      unitId,
      target: destination.id,
      detail: { keyVersionId: latest.id, sourceKeyId: source.id, sourceKeyVersionId: version.id },
    });
    const ids = { keyId: destination.id, versionId: latest.id };
    return { ...ids, sealed: result, sourceKeyId: source.id, sourceVersionId: version.id };
  }
}
