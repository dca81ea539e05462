import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { Config } from '../config/config.js';
import type { Permission } from '../shared/permissions.js';
import type { Key } from './key.entity.js';
import { KeyActs } from './key-acts.js';
import { assertRoot } from './key-rules.js';
import { ACTIVE, assertAllowed, type KeyState, SUSPENDED, stateNow } from './key-state.js';
import type { KeyTarget } from './key-target.js';
import { assertTime } from './key-timers.js';
import { KeyUnits } from './key-units.js';

export interface SwitchOptions {
  /** Without the time that must pass between the two. */
  readonly immediately?: boolean | undefined;
  /** A key that is so already stays so. */
  readonly idempotent?: boolean | undefined;
}

/** Suspends an active root or asymmetric key: nothing can be done with it. KEY_STATE, DELETION_PENDING, MATERIAL_ABSENT. */
export class DisableKey extends Command<void> {
  static readonly permission: Permission = 'key.manage';
  static readonly act = 'kms.secrets.disable';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly options: SwitchOptions = {},
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

  async execute({ by, target, options }: DisableKey): Promise<void> {
    await this.acts.run({ by, act: DisableKey.act }, target, async (tx, key, now) => {
      assertRoot(key);
      if (options.idempotent && isAlready(SUSPENDED, key, now)) return { key };
      assertAllowed('disable', key, now);
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
    readonly options: SwitchOptions = {},
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

  async execute({ by, target, options }: EnableKey): Promise<void> {
    await this.acts.run({ by, act: EnableKey.act }, target, async (tx, key, now) => {
      assertRoot(key);
      if (options.idempotent && isAlready(ACTIVE, key, now)) return { key };
      assertAllowed('enable', key, now);
      if (!options.immediately) assertTime('enable', key, this.config.timers, now);
      return { key: await this.units.change(tx, key, { state: ACTIVE, changedAt: now, updatedAt: now }) };
    });
  }
}

function isAlready(state: KeyState, key: Key, now: Date): boolean {
  return key.deletionDueAt === null && stateNow(key, now) === state;
}
