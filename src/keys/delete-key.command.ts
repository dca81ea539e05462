import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EntityManager } from 'typeorm';
import { type Caller, iamIdOf } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { Config } from '../config/config.js';
import { KeysteadError } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import { type Key, KeyRegistration } from './key.entity.js';
import { KeyActs } from './key-acts.js';
import { assertAllowed, DESTROYED } from './key-state.js';
import type { KeyTarget } from './key-target.js';
import { KeyUnits } from './key-units.js';
import type { KeyView } from './key-view.js';
import { isSetForDeletion, keyViewOf } from './key-view-of.js';

/** Destroys a key: nothing can be done with it but restore and purge. Dual authorisation wants a second caller. */
export class DeleteKey extends Command<KeyView> {
  static readonly permission: Permission = 'key.manage';
  static readonly act = 'kms.secrets.delete';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly options: { readonly force?: boolean | undefined } = {},
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@CommandHandler(DeleteKey)
export class DeleteKeyHandler implements ICommandHandler<DeleteKey> {
  constructor(
    private readonly acts: KeyActs,
    private readonly units: KeyUnits,
    private readonly config: Config,
  ) {}

  async execute({ by, target, options }: DeleteKey): Promise<KeyView> {
    const force = options.force ?? false;
    const deleted = await this.acts.run({ by, act: DeleteKey.act }, target, async (tx, key, now) => {
      assertAllowed('delete', key, now);
      await assertDeletable(tx, key, by, now, force);
      const next = await this.units.change(tx, key, {
        state: DESTROYED,
        setForDeletionBy: null,
        setForDeletionUntil: null,
        deletedAt: now,
        deletedBy: iamIdOf(by),
        changedAt: now,
        updatedAt: now,
      });
      return {
        key: next,
        detail: { force, initialValue: { keyState: key.state }, newValue: { keyState: next.state } },
      };
    });
    return keyViewOf(deleted, this.config.timers, new Date());
  }
}

/** Throws AUTHORIZATIONS_NOT_MET, KEY_RETAINED or PROTECTED_RESOURCE unless the caller may delete the key now. */
export async function assertDeletable(
  tx: EntityManager,
  key: Key,
  by: Caller,
  now: Date,
  force = false,
): Promise<void> {
  assertAuthorized(key, by, now);
  await assertUnprotected(tx, key, force);
}

/** Two people delete a key with a dual authorisation policy: the one who set it for deletion, and another one. */
function assertAuthorized(key: Key, by: Caller, now: Date): void {
  if (!key.dualAuthDelete?.enabled) return;
  if (isSetForDeletion(key, now) && key.setForDeletionBy !== by.id) return;
  throw new KeysteadError('AUTHORIZATIONS_NOT_MET', 'Number of authorizations required to delete is not met');
}

async function assertUnprotected(tx: EntityManager, { id: keyId }: Key, force: boolean): Promise<void> {
  if (await tx.existsBy(KeyRegistration, { keyId, preventKeyDeletion: true })) {
    throw new KeysteadError(
      'KEY_RETAINED',
      "The key cannot be deleted because it's protecting a cloud resource that has a retention policy",
    );
  }
  if (!force && (await tx.existsBy(KeyRegistration, { keyId }))) {
    throw new KeysteadError('PROTECTED_RESOURCE', 'Key is protecting one or more cloud resources');
  }
}
