import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { Config } from '../config/config.js';
import type { Permission } from '../shared/permissions.js';
import { KeyActs } from './key-acts.js';
import { assertRoot } from './key-rules.js';
import { assertAllowed } from './key-state.js';
import type { KeyTarget } from './key-target.js';
import { assertTime } from './key-timers.js';
import { KeyUnits } from './key-units.js';

/** Tells the services registered for a key its state again. REQUEST_TOO_EARLY within an hour of the last act or sync. */
export class SyncKey extends Command<void> {
  static readonly permission: Permission = 'key.sync';
  static readonly act = 'kms.secrets.sync';
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

@CommandHandler(SyncKey)
export class SyncKeyHandler implements ICommandHandler<SyncKey> {
  constructor(
    private readonly acts: KeyActs,
    private readonly units: KeyUnits,
    private readonly config: Config,
  ) {}

  async execute({ by, target }: SyncKey): Promise<void> {
    await this.acts.run({ by, act: SyncKey.act }, target, async (tx, key, now) => {
      assertRoot(key);
      assertTime('sync', key, this.config.timers, now); // before the state: clients rely on this order
      assertAllowed('sync', key, now);
      return { key: await this.units.change(tx, key, { syncedAt: now }) };
    });
  }
}
