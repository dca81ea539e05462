import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import type { Permission } from '../shared/permissions.js';
import { KeyStore } from './key-store.js';
import type { KeyTarget } from './key-target.js';
import type { KeyPolicyView } from './key-view.js';
import { policyViewsOf } from './key-view-of.js';

/** The policies a key has, or the one asked for; disabled ones too. */
export class GetKeyPolicies extends Query<KeyPolicyView[]> {
  static readonly permission: Permission = 'key-policy.read';
  static readonly act = 'kms.policies.read';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly which?: 'rotation' | 'dualAuthDelete' | undefined,
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@QueryHandler(GetKeyPolicies)
export class GetKeyPoliciesHandler implements IQueryHandler<GetKeyPolicies> {
  constructor(
    private readonly store: KeyStore,
    private readonly audit: AuditLog,
  ) {}

  async execute({ by, target, which }: GetKeyPolicies): Promise<KeyPolicyView[]> {
    const key = await this.store.find(target);
    const views = policyViewsOf(key).filter((view) => which === undefined || view[which] !== undefined);
    await this.audit.record({
      act: GetKeyPolicies.act,
      outcome: 'success',
      by,
      instanceId: key.instanceId,
      target: key.id,
      detail: { totalResources: views.length },
    });
    return views;
  }
}
