import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import { type Caller, iamIdOf } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import type { Permission } from '../shared/permissions.js';
import { InstancePolicy } from './instance-policy.entity.js';
import { type InstancePolicyInput, storedAttributes } from './instance-policy-rules.js';
import { fieldRefused } from './key-rules.js';
import type { Place } from './key-target.js';
import { toldPolicies } from './told-policies.js';

/** Sets instance policies, each type at most once. They hold for keys made afterwards. */
export class SetInstancePolicies extends Command<void> {
  static readonly permission: Permission = 'instance-policy.write';
  static readonly act = 'kms.instance-policies.write';
  constructor(
    readonly by: Caller,
    readonly target: Place,
    readonly policies: readonly InstancePolicyInput[],
  ) {
    super();
  }

  get scope(): Scope {
    return { instanceId: this.target.instanceId };
  }
}

@CommandHandler(SetInstancePolicies)
export class SetInstancePoliciesHandler implements ICommandHandler<SetInstancePolicies> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
  ) {}

  async execute({ by, target: { instanceId }, policies }: SetInstancePolicies): Promise<void> {
    if (new Set(policies.map(({ type }) => type)).size !== policies.length) {
      throw fieldRefused('policy_type', 'a type that occurs once: each policy can be set once in a request');
    }
    await this.db.transaction(async (tx) => {
      await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [`keystead/policies/${instanceId}`]);
      const detail: { initialValue: object; newValue: object }[] = [];
      for (const input of policies) detail.push(await set(tx, instanceId, input, iamIdOf(by), new Date()));
      await this.audit.append(tx, {
        act: SetInstancePolicies.act,
        outcome: 'success',
        by,
        instanceId,
        target: instanceId,
        detail: { policies: detail },
        row: await toldPolicies(tx, instanceId),
      });
    });
  }
}

async function set(tx: EntityManager, instanceId: string, input: InstancePolicyInput, by: string, now: Date) {
  const before = await tx.findOneBy(InstancePolicy, { instanceId, type: input.type });
  const row: InstancePolicy = {
    instanceId,
    type: input.type,
    enabled: input.enabled,
    attributes: storedAttributes(input, before?.attributes),
    createdBy: before?.createdBy ?? by,
    createdAt: before?.createdAt ?? now,
    updatedBy: by,
    updatedAt: now,
  };
  await tx.upsert(InstancePolicy, row, ['instanceId', 'type']);
  const shown = (policy: InstancePolicy | null) =>
    policy === null ? {} : { type: policy.type, enabled: policy.enabled, attributes: policy.attributes };
  return { initialValue: shown(before), newValue: shown(row) };
}
