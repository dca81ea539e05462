import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { Config } from '../config/config.js';
import { holdRing } from '../key-rings/ring-rules.js';
import type { Permission } from '../shared/permissions.js';
import { KeyActs } from './key-acts.js';
import { assertAllowed } from './key-state.js';
import type { KeyTarget } from './key-target.js';
import { KeyUnits } from './key-units.js';
import type { KeyView } from './key-view.js';
import { keyViewOf } from './key-view-of.js';

/** Moves a key to another ring; the caller must manage both. KEY_RING_NOT_FOUND. */
export class MoveKey extends Command<KeyView> {
  static readonly permission: Permission = 'key.manage';
  static readonly act = 'kms.secrets.patch';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly toKeyRingId: string,
  ) {
    super();
  }

  get scope(): readonly Scope[] {
    return [this.target, { instanceId: this.target.instanceId, keyRingId: this.toKeyRingId }];
  }
}

@CommandHandler(MoveKey)
export class MoveKeyHandler implements ICommandHandler<MoveKey> {
  constructor(
    private readonly acts: KeyActs,
    private readonly units: KeyUnits,
    private readonly config: Config,
  ) {}

  async execute({ by, target, toKeyRingId }: MoveKey): Promise<KeyView> {
    const moved = await this.acts.run({ by, act: MoveKey.act }, target, async (tx, key, now) => {
      assertAllowed('move', key, now);
      await holdRing(tx, key.instanceId, toKeyRingId);
      const next = await this.units.change(tx, key, { keyRingId: toKeyRingId, updatedAt: now });
      const detail = { initialValue: { keyRingId: key.keyRingId }, newValue: { keyRingId: toKeyRingId } };
      return { key: next, detail };
    });
    return keyViewOf(moved, this.config.timers, new Date());
  }
}
