import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type Caller, iamIdOf } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { Config } from '../config/config.js';
import type { Permission } from '../shared/permissions.js';
import { assertInterval } from './instance-policy-rules.js';
import type { Key, StoredDualAuth, StoredRotation } from './key.entity.js';
import { KeyActs } from './key-acts.js';
import { assertRoot, fieldRefused } from './key-rules.js';
import { assertAllowed } from './key-state.js';
import type { KeyTarget } from './key-target.js';
import { rotationDue } from './key-timers.js';
import { KeyUnits } from './key-units.js';
import type { KeyPolicyView } from './key-view.js';
import { policyViewsOf } from './key-view-of.js';
import { newDualAuth, newRotation } from './new-key.js';

export interface KeyPolicyInput {
  /** Without `intervalMonth` the stored one stays; `enabled` is true when not given. */
  readonly rotation?:
    | { readonly enabled?: boolean | undefined; readonly intervalMonth?: number | undefined }
    | undefined;
  /** Cannot be taken back once enabled. */
  readonly dualAuthDelete?: { readonly enabled: boolean } | undefined;
}

/** Sets one or both policies of a key and returns those that were set. */
export class SetKeyPolicies extends Command<KeyPolicyView[]> {
  static readonly permission: Permission = 'key-policy.write';
  static readonly act = 'kms.policies.write';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly input: KeyPolicyInput,
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@CommandHandler(SetKeyPolicies)
export class SetKeyPoliciesHandler implements ICommandHandler<SetKeyPolicies> {
  constructor(
    private readonly acts: KeyActs,
    private readonly units: KeyUnits,
    private readonly config: Config,
  ) {}

  async execute({ by, target, input }: SetKeyPolicies): Promise<KeyPolicyView[]> {
    const after = await this.acts.run({ by, act: SetKeyPolicies.act }, target, async (tx, key, now) => {
      assertAllowed('set policies of', key, now);
      const rotation = nextRotation(key, input.rotation, iamIdOf(by), now);
      const dualAuthDelete = nextDualAuth(key, input.dualAuthDelete, iamIdOf(by), now);
      const next = await this.units.change(tx, key, {
        rotation,
        dualAuthDelete,
        rotationDueAt: rotationDue(key, rotation, this.config.timers),
        updatedAt: now,
      });
      return { key: next, detail: { initialValue: shown(key), newValue: shown(next) } };
    });
    return policyViewsOf({
      id: after.id,
      rotation: input.rotation === undefined ? null : after.rotation,
      dualAuthDelete: input.dualAuthDelete === undefined ? null : after.dualAuthDelete,
    });
  }
}

/** The rotation policy after the input. FIELD_INVALID for an imported key, and for a first policy without an interval. */
export function nextRotation(
  key: Key,
  input: KeyPolicyInput['rotation'],
  by: string,
  now: Date,
): StoredRotation | null {
  if (input === undefined) return key.rotation;
  assertRoot(key);
  if (key.imported) throw fieldRefused('rotation', 'absent: Keystead cannot make new material for an imported key');
  const intervalMonth = input.intervalMonth ?? key.rotation?.intervalMonth;
  assertInterval(intervalMonth);
  const enabled = input.enabled ?? true;
  if (key.rotation === null) return newRotation({ enabled, intervalMonth }, by, now);
  const { intervalDays, ...months } = key.rotation;
  const kept = input.intervalMonth === undefined && intervalDays !== undefined ? { intervalDays } : {};
  return { ...months, ...kept, enabled, intervalMonth, updatedBy: by, updatedAt: now.toISOString() };
}

/** The dual authorisation policy after the input. FIELD_INVALID when it would be taken back. */
export function nextDualAuth(
  key: Key,
  input: KeyPolicyInput['dualAuthDelete'],
  by: string,
  now: Date,
): StoredDualAuth | null {
  const { dualAuthDelete: before } = key;
  if (input === undefined) return before;
  if (before?.enabled && !input.enabled) {
    throw fieldRefused('dualAuthDelete', 'enabled: once a key needs two people to be deleted, it always does');
  }
  if (before === null) return newDualAuth(input.enabled, by, now);
  return { ...before, enabled: input.enabled, updatedBy: by, updatedAt: now.toISOString() };
}

function shown({ rotation, dualAuthDelete }: Key): object {
  return {
    rotation: rotation && { enabled: rotation.enabled, interval_month: rotation.intervalMonth },
    dualAuthDelete: dualAuthDelete && { enabled: dualAuthDelete.enabled },
  };
}
