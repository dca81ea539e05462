import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type Caller, iamIdOf } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { Config } from '../config/config.js';
import type { Permission } from '../shared/permissions.js';
import type { Key, StoredRotation } from './key.entity.js';
import { KeyActs } from './key-acts.js';
import { assertGenerated, assertRoot, assertWhole } from './key-rules.js';
import { assertAllowed } from './key-state.js';
import type { KeyTarget } from './key-target.js';
import { rotationDue } from './key-timers.js';
import { KeyUnits } from './key-units.js';
import type { KeyView } from './key-view.js';
import { keyViewOf } from './key-view-of.js';
import { newRotation } from './new-key.js';

const MOST_DAYS = 3_650;
const DEFAULT_DAYS = 365;
const DAYS_OF_A_MONTH = 30;
const MOST_MONTHS = 12;

/** Rotates a generated key every so many days, 1 to 3,650, or no more. KEY_NOT_ROOT, KEY_EXTERNAL. */
export class SetKeyRotation extends Command<KeyView> {
  static readonly permission: Permission = 'key-policy.write';
  static readonly act = 'kms.rotation.write';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    /** Without `days` the stored interval stays, or is 365. */
    readonly input: { readonly enabled: boolean; readonly days?: number | undefined },
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@CommandHandler(SetKeyRotation)
export class SetKeyRotationHandler implements ICommandHandler<SetKeyRotation> {
  constructor(
    private readonly acts: KeyActs,
    private readonly units: KeyUnits,
    private readonly config: Config,
  ) {}

  async execute({ by, target, input: { enabled, days } }: SetKeyRotation): Promise<KeyView> {
    if (days !== undefined) assertWhole('days', days, 1, MOST_DAYS);
    const { timers } = this.config;
    const after = await this.acts.run({ by, act: SetKeyRotation.act }, target, async (tx, key, now) => {
      assertRoot(key);
      assertGenerated(key);
      assertAllowed('set policies of', key, now);
      const rotation = nextRotation(key, enabled, days, iamIdOf(by), now);
      const rotationDueAt = rotationDue(key, rotation, timers);
      const next = await this.units.change(tx, key, { rotation, rotationDueAt, updatedAt: now });
      return { key: next, detail: { initialValue: shown(key.rotation), newValue: shown(rotation) } };
    });
    return keyViewOf(after, timers, new Date());
  }
}

function nextRotation(
  { rotation }: Key,
  enabled: boolean,
  days: number | undefined,
  by: string,
  now: Date,
): StoredRotation {
  const intervalDays = days ?? rotation?.intervalDays ?? (rotation === null ? DEFAULT_DAYS : undefined);
  const inDays =
    intervalDays === undefined
      ? { intervalMonth: rotation?.intervalMonth ?? 1 }
      : { intervalDays, intervalMonth: monthsOf(intervalDays) };
  if (rotation === null)
    return { ...newRotation({ enabled, intervalMonth: inDays.intervalMonth }, by, now), ...inDays };
  return { ...rotation, ...inDays, enabled, updatedBy: by, updatedAt: now.toISOString() };
}

/** About as long, for those who know months only. */
function monthsOf(days: number): number {
  return Math.min(MOST_MONTHS, Math.max(1, Math.round(days / DAYS_OF_A_MONTH)));
}

function shown(rotation: StoredRotation | null): object | null {
  return (
    rotation && {
      enabled: rotation.enabled,
      interval_days: rotation.intervalDays,
      interval_month: rotation.intervalMonth,
    }
  );
}
