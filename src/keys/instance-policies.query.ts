import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import type { Permission } from '../shared/permissions.js';
import { InstancePolicy } from './instance-policy.entity.js';
import type { InstancePolicyType, InstancePolicyView } from './instance-policy-rules.js';
import type { Place } from './key-target.js';

/** The policies ever set on an instance, or the one asked for; disabled ones too. */
export class GetInstancePolicies extends Query<InstancePolicyView[]> {
  static readonly permission: Permission = 'instance-policy.read';
  static readonly act = 'kms.instance-policies.read';
  constructor(
    readonly by: Caller,
    readonly target: Place,
    readonly which?: InstancePolicyType | undefined,
  ) {
    super();
  }

  get scope(): Scope {
    return { instanceId: this.target.instanceId };
  }
}

@QueryHandler(GetInstancePolicies)
export class GetInstancePoliciesHandler implements IQueryHandler<GetInstancePolicies> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
  ) {}

  async execute({ by, target: { instanceId }, which }: GetInstancePolicies): Promise<InstancePolicyView[]> {
    const rows = await this.db.manager.find(InstancePolicy, {
      where: { instanceId, ...(which !== undefined && { type: which }) },
      order: { createdAt: 'ASC', type: 'ASC' },
    });
    const detail = { totalResources: rows.length };
    await this.audit.record({ act: GetInstancePolicies.act, outcome: 'success', by, instanceId, detail });
    return rows.map(({ instanceId: _, ...row }) => row as InstancePolicyView);
  }
}

/** The port for callers that an allowedIP policy admits: the port of the server; null without such a policy. */
export class GetAllowedIpPort extends Query<number | null> {
  static readonly permission: Permission = 'instance-policy.read';
  static readonly act = 'kms.instance-allowed-ip-port.read';
  constructor(
    readonly by: Caller,
    readonly target: Place,
  ) {
    super();
  }

  get scope(): Scope {
    return { instanceId: this.target.instanceId };
  }
}

@QueryHandler(GetAllowedIpPort)
export class GetAllowedIpPortHandler implements IQueryHandler<GetAllowedIpPort> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly config: Config,
  ) {}

  async execute({ by, target: { instanceId } }: GetAllowedIpPort): Promise<number | null> {
    const set = await this.db.manager.existsBy(InstancePolicy, { instanceId, type: 'allowedIP', enabled: true });
    await this.audit.record({ act: GetAllowedIpPort.act, outcome: 'success', by, instanceId });
    if (!set) return null;
    const { port, protocol } = new URL(this.config.publicUrl);
    return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
  }
}
