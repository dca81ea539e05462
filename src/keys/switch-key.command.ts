import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { Config } from '../config/config.js';
import type { Permission } from '../shared/permissions.js';
import { KeyActs } from './key-acts.js';
import { assertRoot } from './key-rules.js';
import { ACTIVE, assertAct, SUSPENDED, stateNow } from './key-state.js';
import type { KeyTarget } from './key-target.js';
import { assertTime } from './key-timers.js';
import { KeyUnits } from './key-units.js';

/** Suspends an active root key: nothing can be encrypted or decrypted with it. */
export class DisableKey extends Command<void> {
  static readonly permission: Permission = 'key.manage';
  static readonly act = 'kms.secrets.disable';
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

@CommandHandler(DisableKey)
export class DisableKeyHandler implements ICommandHandler<DisableKey> {
  constructor(
    private readonly acts: KeyActs,
    private readonly units: KeyUnits,
  ) {}

  async execute({ by, target }: DisableKey): Promise<void> {
    await this.acts.run({ by, act: DisableKey.act }, target, async (tx, key, now) => {
      assertRoot(key);
      assertAct('disable', stateNow(key, now));
      return { key: await this.units.change(tx, key, { state: SUSPENDED, changedAt: now, updatedAt: now }) };
    });
  }
}

/** Makes a suspended root key active again. REQUEST_TOO_EARLY right after it was disabled. */
export class EnableKey extends Command<void> {
  static readonly permission: Permission = 'key.manage';
  static readonly act = 'kms.secrets.enable';
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

@CommandHandler(EnableKey)
export class EnableKeyHandler implements ICommandHandler<EnableKey> {
  constructor(
    private readonly acts: KeyActs,
    private readonly units: KeyUnits,
    private readonly config: Config,
  ) {}

  async execute({ by, target }: EnableKey): Promise<void> {
    await this.acts.run({ by, act: EnableKey.act }, target, async (tx, key, now) => {
      assertRoot(key);
      assertAct('enable', stateNow(key, now));
      assertTime('enable', key, this.config.timers, now);
      return { key: await this.units.change(tx, key, { state: ACTIVE, changedAt: now, updatedAt: now }) };
    });
  }
}
