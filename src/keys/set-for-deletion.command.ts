import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { Config } from '../config/config.js';
import { KeysteadError } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import type { Key } from './key.entity.js';
import { KeyActs } from './key-acts.js';
import { assertAllowed } from './key-state.js';
import type { KeyTarget } from './key-target.js';
import { plus } from './key-timers.js';
import { KeyUnits } from './key-units.js';

/** The first of the two authorisations to delete a key with a dual authorisation policy. NOT_DUAL_AUTH. */
export class SetForDeletion extends Command<void> {
  static readonly permission: Permission = 'key.set-for-deletion';
  static readonly act = 'kms.secrets.setkeyfordeletion';
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

@CommandHandler(SetForDeletion)
export class SetForDeletionHandler implements ICommandHandler<SetForDeletion> {
  constructor(
    private readonly acts: KeyActs,
    private readonly units: KeyUnits,
    private readonly config: Config,
  ) {}

  async execute({ by, target }: SetForDeletion): Promise<void> {
    await this.acts.run({ by, act: SetForDeletion.act }, target, async (tx, key, now) => {
      assertAllowed('set for deletion', key, now);
      assertDualAuth(key);
      const until = plus(now, this.config.timers.authorization);
      const next = await this.units.change(tx, key, {
        setForDeletionBy: by.id,
        setForDeletionUntil: until,
        updatedAt: now,
      });
      return { key: next, detail: { initialValue: authOf(key), newValue: authOf(next) } };
    });
  }
}

/** Takes the first authorisation back. */
export class UnsetForDeletion extends Command<void> {
  static readonly permission: Permission = 'key.set-for-deletion';
  static readonly act = 'kms.secrets.unsetkeyfordeletion';
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

@CommandHandler(UnsetForDeletion)
export class UnsetForDeletionHandler implements ICommandHandler<UnsetForDeletion> {
  constructor(
    private readonly acts: KeyActs,
    private readonly units: KeyUnits,
  ) {}

  async execute({ by, target }: UnsetForDeletion): Promise<void> {
    await this.acts.run({ by, act: UnsetForDeletion.act }, target, async (tx, key, now) => {
      assertAllowed('unset for deletion', key, now);
      assertDualAuth(key);
      const next = await this.units.change(tx, key, {
        setForDeletionBy: null,
        setForDeletionUntil: null,
        updatedAt: now,
      });
      return { key: next, detail: { initialValue: authOf(key), newValue: authOf(next) } };
    });
  }
}

function assertDualAuth(key: Key): void {
  if (key.dualAuthDelete?.enabled) return;
  throw new KeysteadError('NOT_DUAL_AUTH', 'The key is not dual auth enabled and cannot be set for deletion');
}

/** As an audit line tells it. */
export function authOf({ setForDeletionBy, setForDeletionUntil }: Key): object {
  return { authID: setForDeletionBy, authExpiration: setForDeletionUntil };
}
