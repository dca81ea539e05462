import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { Config } from '../config/config.js';
import { needs } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import { assertDeletable } from './delete-key.command.js';
import type { Key } from './key.entity.js';
import { KeyActs } from './key-acts.js';
import { assertWhole } from './key-rules.js';
import { ACTIVE, assertAllowed, type KeyState, SUSPENDED } from './key-state.js';
import { noKey } from './key-store.js';
import type { KeyTarget } from './key-target.js';
import { plus, rotationDue } from './key-timers.js';
import { KeyUnits } from './key-units.js';
import type { KeyView } from './key-view.js';
import { keyViewOf } from './key-view-of.js';

const MOST_DAYS = 3_650;

/** A key is gone for good after so many days, 1 to 3,650, and unusable at once. DELETION_PENDING when it is so already. */
export class ScheduleKeyDeletion extends Command<KeyView> {
  static readonly permission: Permission = 'key.manage';
  static readonly act = 'kms.secrets.schedule-deletion';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly input: { readonly days: number },
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@CommandHandler(ScheduleKeyDeletion)
export class ScheduleKeyDeletionHandler implements ICommandHandler<ScheduleKeyDeletion> {
  constructor(
    private readonly acts: KeyActs,
    private readonly units: KeyUnits,
    private readonly config: Config,
  ) {}

  async execute({ by, target, input: { days } }: ScheduleKeyDeletion): Promise<KeyView> {
    assertWhole('days', days, 1, MOST_DAYS);
    const { timers } = this.config;
    const after = await this.acts.run({ by, act: ScheduleKeyDeletion.act }, target, async (tx, key, now) => {
      assertAllowed('schedule the deletion of', key, now);
      await assertDeletable(tx, key, by, now);
      const next = await this.units.change(tx, key, {
        state: key.state === ACTIVE ? SUSPENDED : key.state, // so that no unit uses it either
        deletionDueAt: plus(now, days * timers.deletionDay),
        setForDeletionBy: null,
        setForDeletionUntil: null,
        rotationDueAt: null,
        changedAt: now,
        updatedAt: now,
      });
      return { key: next, detail: { days, deletionDate: next.deletionDueAt, initialValue: { keyState: key.state } } };
    });
    return keyViewOf(after, timers, new Date());
  }
}

/** Keeps a key that was to be deleted, active or suspended; without material it is pending as before. DELETION_NOT_PENDING. */
export class CancelKeyDeletion extends Command<KeyView> {
  static readonly permission: Permission = 'key.manage';
  static readonly act = 'kms.secrets.cancel-deletion';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly input: { readonly to: 'active' | 'suspended' },
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@CommandHandler(CancelKeyDeletion)
export class CancelKeyDeletionHandler implements ICommandHandler<CancelKeyDeletion> {
  constructor(
    private readonly acts: KeyActs,
    private readonly units: KeyUnits,
    private readonly config: Config,
  ) {}

  async execute({ by, target, input: { to } }: CancelKeyDeletion): Promise<KeyView> {
    const { timers } = this.config;
    const after = await this.acts.run({ by, act: CancelKeyDeletion.act }, target, async (tx, key, now) => {
      assertAllowed('cancel the deletion of', key, now);
      needs(key.deletionDueAt !== null, 'DELETION_NOT_PENDING', 'the key is not to be deleted');
      if (key.deletionDueAt <= now) throw noKey(target.key);
      const state = stateAfterCancel(key, to);
      const rotationDueAt = rotationDue(key, key.rotation, timers);
      const changes = { state, deletionDueAt: null, rotationDueAt, changedAt: now, updatedAt: now };
      const next = await this.units.change(tx, key, changes);
      return { key: next, detail: { newValue: { keyState: next.state } } };
    });
    return keyViewOf(after, timers, new Date());
  }
}

/** Without material it waits for it as before, and what was deactivated stays so. */
function stateAfterCancel({ state }: Key, to: 'active' | 'suspended'): KeyState {
  if (state !== SUSPENDED) return state;
  return to === 'active' ? ACTIVE : SUSPENDED;
}
