import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import { KeysteadError } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import { additionalData, openEnvelope, sealEnvelope } from './envelope.js';
import type { Key, KeyVersion } from './key.entity.js';
import { rowOf } from './key-row.js';
import { assertSymmetric, daysToExpiry } from './key-rules.js';
import { ACTIVE, assertAllowed, stateNow } from './key-state.js';
import { KeyStore } from './key-store.js';
import type { KeyTarget } from './key-target.js';
import { KeyUnits } from './key-units.js';
import { WrapCounter } from './wrap-counter.js';

export interface CiphertextInput {
  readonly ciphertext: string;
  readonly aad?: readonly string[] | undefined;
}

export interface Unwrapped {
  readonly plaintext: Buffer;
  readonly versionId: string;
  /** A new ciphertext when the given one was made by an older version of an active key. */
  readonly rewrapped: { readonly ciphertext: string; readonly versionId: string } | null;
}

/** Decrypts what a wrap returned. CIPHERTEXT_INVALID for anything else, whatever was wrong with it. */
export class UnwrapKey extends Command<Unwrapped> {
  static readonly permission: Permission = 'key.use';
  static readonly act = 'kms.secrets.unwrap';
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

@CommandHandler(UnwrapKey)
export class UnwrapKeyHandler implements ICommandHandler<UnwrapKey> {
  constructor(
    private readonly store: KeyStore,
    private readonly audit: AuditLog,
    private readonly units: KeyUnits,
    private readonly wraps: WrapCounter,
  ) {}

  async execute({ by, target, input: { ciphertext, aad = [] } }: UnwrapKey): Promise<Unwrapped> {
    const key = await this.store.findAsAsked(target);
    const now = new Date();
    assertSymmetric(key);
    assertAllowed('unwrap', key, now);
    const { sealed, version } = await openedBy(this.store, key, ciphertext);
    const anew = version.id !== key.versionId && stateNow(key, now) === ACTIVE ? await this.store.latest(key) : null;
    const data = additionalData(aad);
    const { unitId, result } = await this.units.use(key, async (unit) => {
      const plaintext = await unit.decrypt(rowOf(key, version), version.blob, version.mac, data, sealed);
      if (anew !== null) await this.wraps.spend(anew.id); // each unit that is asked encrypts
      const resealed = anew && (await unit.encrypt(rowOf(key, anew), anew.blob, anew.mac, data, plaintext));
      return { plaintext, resealed };
    });
    await this.audit.record({
      act: UnwrapKey.act,
      outcome: 'success',
      by,
      instanceId: key.instanceId,
      unitId,
      target: key.id,
      detail: { keyVersionId: version.id, ...(anew && { rewrappedKeyVersionId: anew.id }), ...daysToExpiry(key, now) },
    });
    const { plaintext, resealed } = result;
    const rewrapped = anew && resealed && { ciphertext: sealEnvelope(resealed, anew.id), versionId: anew.id };
    return { plaintext, versionId: version.id, rewrapped };
  }
}

/** The version of the key that made the ciphertext. CIPHERTEXT_INVALID when none of them did: others are not tried. */
export async function openedBy(
  store: KeyStore,
  key: Key,
  ciphertext: string,
): Promise<{ sealed: Buffer; version: KeyVersion }> {
  const { sealed, versionId } = openEnvelope(ciphertext);
  const version = await store.version(key, versionId.toLowerCase());
  if (version !== null) return { sealed, version };
  throw new KeysteadError('CIPHERTEXT_INVALID', 'the ciphertext is not one that wrap returned for this key and aad');
}
