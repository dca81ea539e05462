import { randomUUID } from 'node:crypto';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { type Caller, iamIdOf } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { DEFAULT_RING } from '../key-rings/key-ring-view.js';
import { holdRing } from '../key-rings/ring-rules.js';
import type { Permission } from '../shared/permissions.js';
import { InstancePolicies } from './instance-policies.js';
import { Key, KeyVersion } from './key.entity.js';
import { KEY_ALGORITHMS, type KeyAlgorithm, type KeyUsage } from './key-kinds.js';
import type { Labels } from './key-labels.js';
import { KeyMaker, type Made, type MadeStandardKey } from './key-maker.js';
import { KeyQuota } from './key-quota.js';
import { assertAliases, assertAttributes, fieldRefused } from './key-rules.js';
import type { Place } from './key-target.js';
import { rotationDue } from './key-timers.js';
import type { KeyView } from './key-view.js';
import { keyViewOf } from './key-view-of.js';
import type { Material } from './material.js';
import { newKeyRow } from './new-key.js';
import { toldKey } from './told-keys.js';

export interface NewKey extends Material {
  /** 1 to 255 characters. */
  readonly name: string;
  readonly description?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly aliases?: readonly string[] | undefined;
  readonly expiresAt?: Date | undefined;
  readonly extractable: boolean;
  /** An external key: its material is imported later. */
  readonly external?: { readonly algorithm: KeyAlgorithm; readonly usage: KeyUsage } | undefined;
  readonly labels?: Labels | undefined;
  readonly overrides?:
    | {
        readonly rotation?: { readonly enabled?: boolean | undefined; readonly intervalMonth: number } | undefined;
        readonly dualAuthDelete?: { readonly enabled: boolean } | undefined;
      }
    | undefined;
}

/**
 * Makes or imports a key. With `overrides` (even empty) the instance's rotation and dual-authorisation policies do not
 * apply. A standard key comes with its payload.
 */
export class CreateKey extends Command<KeyView> {
  static readonly permission: Permission = 'key.create';
  static readonly act: string = 'kms.secrets.create';
  constructor(
    readonly by: Caller,
    readonly target: Place,
    readonly input: NewKey,
  ) {
    super();
  }

  get scope(): Scope {
    return { instanceId: this.target.instanceId, keyRingId: this.target.keyRingId ?? DEFAULT_RING };
  }
}

@CommandHandler(CreateKey)
export class CreateKeyHandler implements ICommandHandler<CreateKey> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly config: Config,
    private readonly maker: KeyMaker,
    private readonly policies: InstancePolicies,
    private readonly quota: KeyQuota,
  ) {}

  async execute({ by, target, input }: CreateKey): Promise<KeyView> {
    const { instanceId, keyRingId = DEFAULT_RING } = target;
    const createdAt = new Date();
    assertAttributes(input, createdAt);
    assertAliases(input.aliases ?? []);
    assertKind(input);
    const policies = await this.policies.of(instanceId);
    policies.assertCreate(input);
    await this.quota.assertRoom(this.db.manager, instanceId, input.aliases?.length ?? 0);
    const keyPolicies = policies.forNewKey(input);
    const row = newKeyRow(randomUUID(), { instanceId, keyRingId }, input, keyPolicies, iamIdOf(by), createdAt);
    const planned: Key = { ...row, auditSeq: await this.audit.nextSeq() };
    const made = await this.#make(planned, input);
    const key: Key = {
      ...planned,
      bits: made.bits,
      algorithm: made.version.algorithm,
      sealed: 'payload' in made ? made.proof.sealed : null,
      rotationDueAt: rotationDue(planned, planned.rotation, this.config.timers),
    };
    await this.db.transaction(async (tx) => {
      await this.quota.assertRoom(tx, instanceId, key.aliases.length);
      await holdRing(tx, instanceId, keyRingId);
      await tx.insert(Key, key);
      await tx.insert(KeyVersion, made.version);
      await this.quota.takeAliases(tx, key, key.aliases, iamIdOf(by), createdAt);
      await this.audit.append(tx, {
        act: input.overrides === undefined ? CreateKey.act : 'kms.secrets-with-policy-overrides.create',
        outcome: 'success',
        by,
        instanceId,
        unitId: made.madeOn,
        target: key.id,
        detail: {
          name: key.name,
          keyType: key.extractable ? 'standard' : 'root',
          imported: key.imported,
          ...(key.external && { external: true, algorithm: key.algorithm, usage: key.usage }),
          keyRingId,
          keyVersionId: key.versionId,
          keyState: key.state,
          expirationDate: key.expiresAt,
          provedOn: made.provedOn,
        },
        row: await toldKey(tx, key.id),
      });
    });
    return keyViewOf(key, this.config.timers, new Date(), 'payload' in made ? made.payload : null);
  }

  #make(key: Key, input: NewKey): Promise<Made | MadeStandardKey> {
    if (key.external) return this.maker.externalVersion(key, key.createdAt);
    if (!key.extractable) return this.maker.rootVersion(key, key.id, input, key.createdAt);
    if (input.secure !== undefined) throw fieldRefused('encryptionAlgorithm', 'absent for a standard key');
    return this.maker.standardKey(key, input.material, key.createdAt);
  }
}

/** An external key has no material yet, and an algorithm that serves its usage. FIELD_INVALID. */
function assertKind({ external, extractable, material, secure, expiresAt }: NewKey): void {
  if (external === undefined) return;
  const { usages }: { readonly usages: readonly KeyUsage[] } = KEY_ALGORITHMS[external.algorithm];
  if (!usages.includes(external.usage)) throw fieldRefused('usage', `${usages.join(' or ')} for ${external.algorithm}`);
  if (extractable || material !== undefined || secure !== undefined || expiresAt !== undefined) {
    throw fieldRefused('external', 'absent for a key that can be read, has material, or expires');
  }
}
