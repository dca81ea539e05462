import { randomUUID } from 'node:crypto';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EntityManager } from 'typeorm';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { Config } from '../config/config.js';
import { equalBytes } from '../shared/bytes.js';
import { KeysteadError, needs } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import { InstancePolicies } from './instance-policies.js';
import { type Key, KeyVersion } from './key.entity.js';
import { KeyActs } from './key-acts.js';
import { KeyMaker } from './key-maker.js';
import { rowOf } from './key-row.js';
import { assertNotExpired, assertSymmetric, fieldRefused } from './key-rules.js';
import { ACTIVE, assertAct } from './key-state.js';
import { KeyStore } from './key-store.js';
import type { KeyTarget } from './key-target.js';
import { assertTime, plus, rotationDue } from './key-timers.js';
import { KeyUnits, type Proof } from './key-units.js';
import type { KeyView } from './key-view.js';
import { keyViewOf } from './key-view-of.js';
import type { Material } from './material.js';

/**
 * Brings a deleted key back, with all its versions, attributes and policies. Material, which old clients send for an
 * imported key, must be the key's own.
 */
export class RestoreKey extends Command<KeyView> {
  static readonly permission: Permission = 'key.manage';
  static readonly act = 'kms.secrets.restore';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly material: Material = {},
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@CommandHandler(RestoreKey)
export class RestoreKeyHandler implements ICommandHandler<RestoreKey> {
  constructor(
    private readonly store: KeyStore,
    private readonly acts: KeyActs,
    private readonly units: KeyUnits,
    private readonly maker: KeyMaker,
    private readonly policies: InstancePolicies,
    private readonly config: Config,
  ) {}

  async execute({ by, target, material }: RestoreKey): Promise<KeyView> {
    const { timers } = this.config;
    const found = await this.store.find(target);
    this.#assertRestorable(found, new Date());
    const proof = await this.#proofOf(found, material);
    const restored = await this.acts.run({ by, act: RestoreKey.act }, target, async (tx, key, now) => {
      this.#assertRestorable(key, now);
      await assertHasMaterial(tx, key);
      const due = rotationDue(key, key.rotation, timers);
      const changes = { state: ACTIVE, deletedAt: null, deletedBy: null, changedAt: now, updatedAt: now } as const;
      const next = await this.units.change(tx, key, { ...changes, rotationDueAt: due });
      if (proof !== null) await this.#assertSame(tx, next, proof);
      return { key: next, detail: { initialValue: { keyState: key.state }, newValue: { keyState: next.state } } };
    });
    return keyViewOf(restored, timers, new Date());
  }

  #assertRestorable(key: Key, now: Date): void {
    const { timers } = this.config;
    assertAct('restore', key.state);
    assertTime('restore', key, timers, now);
    assertNotExpired(key, now);
    if (key.deletedAt !== null && plus(key.deletedAt, timers.restoreWindow) > now) return;
    throw new KeysteadError('RESTORE_EXPIRED', 'Key restoration has expired');
  }

  /** Something sealed under the material that was sent; null when none was. */
  async #proofOf(key: Key, material: Material): Promise<Proof | null> {
    if (material.material === undefined && material.secure === undefined) return null;
    if (!key.imported || key.extractable)
      throw fieldRefused('payload', 'absent: the key was not imported as a root key');
    assertSymmetric(key);
    (await this.policies.of(key.instanceId)).assertToken(material);
    const { proof } = await this.maker.rootVersion(key, randomUUID(), material, new Date());
    return proof;
  }

  /** The latest version opens what the material sealed. IMPORT_INVALID when it does not. */
  async #assertSame(tx: EntityManager, key: Key, proof: Proof): Promise<void> {
    const version = await tx.findOneByOrFail(KeyVersion, { id: key.versionId });
    const { blob, mac } = version;
    const opened = await this.units
      .use(key, (unit) => unit.decrypt(rowOf(key, version), blob, mac, proof.aad, proof.sealed))
      .then(({ result }) => equalBytes(result, proof.plaintext))
      .catch((cause) => {
        if (cause instanceof KeysteadError && cause.code === 'CIPHERTEXT_INVALID') return false;
        throw cause;
      });
    if (!opened) throw new KeysteadError('IMPORT_INVALID', 'the key material cannot be imported');
  }
}

async function assertHasMaterial(tx: EntityManager, key: Key): Promise<void> {
  if (!key.external) return;
  const { blob } = await tx.findOneByOrFail(KeyVersion, { id: key.versionId });
  needs(blob.length > 0, 'MATERIAL_ABSENT', 'the key was deleted without key material: there is nothing to restore');
}
