import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { Config } from '../config/config.js';
import type { Permission } from '../shared/permissions.js';
import { KeyActs } from './key-acts.js';
import type { Labels } from './key-labels.js';
import { labelled, unlabelled } from './key-labels.js';
import { assertAllowed } from './key-state.js';
import type { KeyTarget } from './key-target.js';
import { KeyUnits } from './key-units.js';
import type { KeyView } from './key-view.js';
import { keyViewOf } from './key-view-of.js';

/** Sets labels of a key; those of other names stay. LABEL_QUOTA above `most` (20 when not given), DELETION_PENDING. */
export class LabelKey extends Command<KeyView> {
  static readonly permission: Permission = 'key.update';
  static readonly act = 'kms.labels.write';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly input: { readonly labels: Labels; readonly most?: number | undefined },
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@CommandHandler(LabelKey)
export class LabelKeyHandler implements ICommandHandler<LabelKey> {
  constructor(
    private readonly acts: KeyActs,
    private readonly units: KeyUnits,
    private readonly config: Config,
  ) {}

  async execute({ by, target, input }: LabelKey): Promise<KeyView> {
    const after = await this.acts.run({ by, act: LabelKey.act }, target, async (tx, key, now) => {
      assertAllowed('label', key, now);
      const labels = { ...labelled(key.labels, input.labels, input.most) };
      return { key: await this.units.change(tx, key, { labels, updatedAt: now }), detail: { labels: input.labels } };
    });
    return keyViewOf(after, this.config.timers, new Date());
  }
}

/** Takes labels away. LABEL_NOT_FOUND when the key has none of a name, unless `lenient`; DELETION_PENDING. */
export class UnlabelKey extends Command<KeyView> {
  static readonly permission: Permission = 'key.update';
  static readonly act = 'kms.labels.delete';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly input: { readonly names: readonly string[]; readonly lenient?: boolean | undefined },
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@CommandHandler(UnlabelKey)
export class UnlabelKeyHandler implements ICommandHandler<UnlabelKey> {
  constructor(
    private readonly acts: KeyActs,
    private readonly units: KeyUnits,
    private readonly config: Config,
  ) {}

  async execute({ by, target, input }: UnlabelKey): Promise<KeyView> {
    const after = await this.acts.run({ by, act: UnlabelKey.act }, target, async (tx, key, now) => {
      assertAllowed('label', key, now);
      const labels = { ...unlabelled(key.labels, input.names, input.lenient) };
      return { key: await this.units.change(tx, key, { labels, updatedAt: now }), detail: { names: input.names } };
    });
    return keyViewOf(after, this.config.timers, new Date());
  }
}
